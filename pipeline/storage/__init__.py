"""Files and folders on disk and in object stores: durable, private, and gone when nobody needs them."""
