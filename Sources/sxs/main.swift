print("sxs")
