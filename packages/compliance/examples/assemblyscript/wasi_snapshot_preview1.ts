// What the check imports from its host: reading and writing open files. AssemblyScript names the module
// of an import after the file that declares it.
export declare function fd_read(fd: u32, iovecs: usize, count: u32, read: usize): u32;
export declare function fd_write(fd: u32, iovecs: usize, count: u32, written: usize): u32;
