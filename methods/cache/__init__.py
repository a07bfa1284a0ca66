"""What is kept between cells: journals, folders and tensors."""
