"""The data plane: carries every call, needs the registry for none of them."""
