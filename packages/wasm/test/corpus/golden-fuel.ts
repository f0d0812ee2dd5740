/**
 * Fuel of the programs of the corpus with their test arguments, for modules of exactly these bytes.
 * A total that moves is a change of a public contract (ADR 9). Another compiler makes other bytes:
 * the test says so then, and holds the totals only against each other.
 */
export interface GoldenFuel {
  readonly moduleSha256: string;
  readonly fuel: bigint;
}

export const GOLDEN_FUEL: Readonly<Record<string, GoldenFuel>> = {
  sha256: {
    moduleSha256: '2b99945356be7a6a6ab0ae8efa2913f0726a22c0948bb139ef31412215aeafcc',
    fuel: 23_418_113n,
  },
  matmul: {
    moduleSha256: '77c9a0b2b3cf82b3b5543597a01d30b3541ddd2c412ea042915af73f902c528d',
    fuel: 222_181_237n,
  },
  json: {
    moduleSha256: '58e9c9c90416b325a0c356399d48435b545769464b62242a3413f037587fe1c2',
    fuel: 33_977_416n,
  },
  fib: {
    moduleSha256: 'b2b579d9ec6f49a9cde78b6324c1d7725a46d261eaccd73d113675f9b9e5c5b9',
    fuel: 697_742n,
  },
  qsort: {
    moduleSha256: 'e09bbd470a3eb5d07c039eb262c743480c084d0220f5e404306cee36145318ab',
    fuel: 179_302_409n,
  },
  sieve: {
    moduleSha256: 'e75dd6236ddb74539a622cdf3a904838a41ae10b56bd7458bc8d0233efbf728c',
    fuel: 114_323_503n,
  },
  vm: {
    moduleSha256: 'cd12f4bba741c523c878db85ae2e95739fd56839dcf8e5c6bfb539d644b12122',
    fuel: 51_868_365n,
  },
  mixed: {
    moduleSha256: 'b0c515657b8e72bb1b450fc17411a34d76fd9d479dfa3e6783c69d1c33384bee',
    fuel: 4_493_749n,
  },
  sqlite: {
    moduleSha256: 'f21370535913388c48403564a707191af06e914621a6fff0569bdc9a70e42b9c',
    fuel: 129_688_938n,
  },
  lua: {
    moduleSha256: '69b6004d0d6af5461fffbbdaea094e4c0dc6e684f1ce21cec493e818680040a8',
    fuel: 32_067_867n,
  },
  words: {
    moduleSha256: '45bf81d39ccf74b37ac76d3236a30263a33de9dd430563436091834b6c5d5a2f',
    fuel: 31_667_208n,
  },
  mandelbrot: {
    moduleSha256: '3e9341a2ed96b085683cdcff2536abd50aee8270e9553db5e0b00cf8224e3f9f',
    fuel: 64_370_074n,
  },
  zlib: {
    moduleSha256: 'd4ba1a3538839a640b697608fe2a0f7b73e5b130e9d98fbe900cf98d472045e4',
    fuel: 367_902_797n,
  },
  images: {
    moduleSha256: 'c63df3f61a30dea4a3e3d972dc0bf0e3297491fd714e24d625bd666243253ecf',
    fuel: 17_942_683n,
  },
};
