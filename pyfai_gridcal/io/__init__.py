"""Files in and out.

Other rooms may use::

    images.frames      Frames, parse_address
    images.images      Image, load_image
    images.masks       dummies, known_detector, load_mask, named_detector, named_traits
    images.regions     binning_of, binning_told, region_told, why_not
    images.sources     open_frames
    kinds.certificate  certificate_text, is_certificate, read_certificate
    kinds.conversion   convert_files, what_opens
    kinds.kinds        DistortionFile, KINDS, locate, open_distortion, read_distortion, told_traits, write_distortion
    kinds.neighbours   lookup_error
    kinds.options      Writing
    kinds.pointers     Experiment, GEOMETRY, MAX_BYTES, NO_SENSOR, detector_of, numbers_in, offset_files_of,
                       save_pointer, wants_parallax
    kinds.poni         geometry_with, keeping, read_experiment
    kinds.rasters      image_of, read_raster, write_raster
    kinds.splinefit    SplineFit, fit_spline
    nexus.contents     ORIENTATIONS, detector_beside, find_detector, find_process, holds_detector, holds_result,
                       result_name
    nexus.detector     from_detector, to_detector
    nexus.groups       detector_nodes, new_entry, new_group, no_displacement, write_data, write_sensor
    nexus.packing      Packing, unpack_chunk
    nexus.records      read_record, write_record
    nexus.result       load_result, save_result
"""
