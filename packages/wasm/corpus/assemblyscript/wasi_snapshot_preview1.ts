// What the program imports from its host. AssemblyScript names the module of an import after the file
// that declares it.
export declare function fd_write(fd: u32, iovecs: usize, count: u32, written: usize): u32;
