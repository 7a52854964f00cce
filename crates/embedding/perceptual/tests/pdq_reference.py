"""Prints the PDQ hashes of a folder's images by Meta's code: name, hash, quality, separated by tabs.

pip install pdqhash==0.2.8 pillow
python pdq_reference.py FOLDER > reference.tsv
"""
import os, sys
import numpy, pdqhash
from PIL import Image

for name in sorted(os.listdir(sys.argv[1])):
    image = Image.open(os.path.join(sys.argv[1], name)).convert("RGB")
    bits, quality = pdqhash.compute(numpy.array(image))
    print(name, numpy.packbits(bits).tobytes().hex(), quality, sep="\t")
