/**
 * The programs of the corpus, by name: what each is built from, and how much work it is given. Those
 * in C and Rust and AssemblyScript are ours; SQLite, Lua, zlib and the image codecs of stb are Debian's
 * sources, as they are, with a `main` of ours. None knows of the meter.
 */

export type Language = 'c' | 'rust' | 'assemblyscript';

/** Third-party sources, fetched as a Debian source package and kept out of the repository. */
export interface DebianSource {
  readonly package: string;
  /** Run in the unpacked tree, one after another, to make the files below. */
  readonly prepare: readonly (readonly [command: string, ...args: string[]])[];
  /** Relative to the unpacked tree. */
  readonly files: readonly string[];
  readonly includeDirectory: string;
}

export interface CorpusProgram {
  readonly name: string;
  readonly language: Language;
  /** Relative to the directory `corpus` of this package. */
  readonly source: string;
  readonly debian?: DebianSource;
  readonly flags?: readonly string[];
  /** `argv[1]` for a test, where less than a tenth of a second is enough. */
  readonly testArgument: string;
  /** `argv[1]` for a measurement: 20 to 60 ms without metering on the machine these were chosen on. */
  readonly benchArgument: string;
}

const SQLITE: DebianSource = {
  package: 'sqlite3',
  prepare: [
    ['./configure', '--disable-tcl', '--disable-readline'],
    ['make', 'sqlite3.c'],
  ],
  files: ['sqlite3.c'],
  includeDirectory: '.',
};

/** The core of Lua and the libraries that need no operating system. */
const LUA_PARTS =
  'lapi lcode lctype ldebug ldo ldump lfunc lgc llex lmem lobject lopcodes lparser lstate lstring ltable ltm lundump ' +
  'lvm lzio lauxlib lbaselib lstrlib ltablib';
const LUA: DebianSource = {
  package: 'lua5.4',
  // The toolchain has no setjmp.h, and with the macros below nothing of it is used.
  prepare: [['touch', 'src/setjmp.h']],
  files: LUA_PARTS.split(' ').map((part) => `src/${part}.c`),
  includeDirectory: 'src',
};

const ZLIB_PARTS = 'adler32 compress crc32 deflate inffast inflate inftrees trees uncompr zutil';
const ZLIB: DebianSource = {
  package: 'zlib',
  prepare: [],
  files: ZLIB_PARTS.split(' ').map((part) => `${part}.c`),
  includeDirectory: '.',
};

/** Headers only. */
const STB: DebianSource = { package: 'libstb', prepare: [], files: [], includeDirectory: '.' };

const c = (name: string, testArgument: string, benchArgument: string): CorpusProgram => ({
  name,
  language: 'c',
  source: `c/${name}.c`,
  testArgument,
  benchArgument,
});

export const CORPUS: readonly CorpusProgram[] = [
  c('sha256', '2', '120'),
  c('matmul', '1', '2'),
  c('json', '1', '30'),
  c('fib', '22', '32'),
  c('qsort', '1', '5'),
  c('sieve', '1', '4'),
  c('vm', '2000', '40000'),
  c('mixed', '5', '100'),
  {
    name: 'sqlite',
    language: 'c',
    source: 'ports/sqlite.c',
    debian: SQLITE,
    flags: [
      '-DSQLITE_OS_OTHER=1',
      '-DSQLITE_THREADSAFE=0',
      '-DSQLITE_OMIT_LOAD_EXTENSION',
      '-DSQLITE_OMIT_WAL',
      '-DSQLITE_TEMP_STORE=3',
    ],
    testArgument: '1',
    benchArgument: '2',
  },
  {
    name: 'lua',
    language: 'c',
    source: 'ports/lua.c',
    debian: LUA,
    flags: [
      '-DLUA_USE_C89',
      '-DLUAI_THROW(state,jump)=abort()',
      '-DLUAI_TRY(state,jump,action)={action}',
      '-Dluai_jmpbuf=int',
      '-D_WASI_EMULATED_SIGNAL',
      '-D_WASI_EMULATED_PROCESS_CLOCKS',
      '-lwasi-emulated-process-clocks',
    ],
    testArgument: '1',
    benchArgument: '3',
  },
  { name: 'zlib', language: 'c', source: 'ports/zlib.c', debian: ZLIB, testArgument: '1', benchArgument: '2' },
  { name: 'images', language: 'c', source: 'ports/images.c', debian: STB, testArgument: '1', benchArgument: '8' },
  { name: 'words', language: 'rust', source: 'rust/words.rs', testArgument: '2', benchArgument: '20' },
  {
    name: 'mandelbrot',
    language: 'assemblyscript',
    source: 'assemblyscript/mandelbrot.ts',
    testArgument: '1',
    benchArgument: '1',
  },
];
