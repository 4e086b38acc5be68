-- Helper for the key preload: runs in every service before its main chunk, with the name and the arguments.
preload_saw = table.concat({ ... }, "|")
preload_name = SERVICE_NAME
preload_path = SERVICE_PATH
