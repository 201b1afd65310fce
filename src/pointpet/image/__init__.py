"""SUV conversion, resampling and cropping: pure functions of volumes and masks."""
