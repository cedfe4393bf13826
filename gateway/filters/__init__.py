"""One policy's step on a request or an answer, a file each; order.py alone knows them all."""
