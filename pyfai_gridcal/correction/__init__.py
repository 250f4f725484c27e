"""Images without distortion.

Other rooms may use::

    corrector  Corrector
    opening    CorrectorFiles, files_of, open_corrector
    parts      Work, correct_part, frames_apart, join_parts, part_path
    streams    DATA_PATH, correct_files, correct_stack
    table      CorrectedImage, correct_known, save_image
"""
