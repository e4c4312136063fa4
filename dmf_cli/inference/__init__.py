"""What a trained network says of images: masks, scores, files for use elsewhere."""
