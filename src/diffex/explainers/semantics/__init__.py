"""The semantic method: phrases edited into images, checked, tested over their tree."""
