"""Every other kind of file that says where pixels are."""
