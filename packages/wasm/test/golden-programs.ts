/** Small programs with known fuel: each exercises one rule of metering. Text format of WebAssembly. */
export const GOLDEN_PROGRAMS: Readonly<Record<string, string>> = {
  'recursion (fib 15)': `(module (memory (export "memory") 1)
    (func $fib (param i32) (result i32)
      (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
        (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "run") (result i32) (call $fib (i32.const 15))))`,
  'sieve of 10,000': `(module (memory (export "memory") 1)
    (func (export "run") (result i32) (local $i i32) (local $j i32) (local $n i32)
      (local.set $i (i32.const 2))
      (loop $outer
        (if (i32.eqz (i32.load8_u (local.get $i)))
          (then
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (local.set $j (i32.add (local.get $i) (local.get $i)))
            (block $done (loop $inner
              (br_if $done (i32.ge_u (local.get $j) (i32.const 10000)))
              (i32.store8 (local.get $j) (i32.const 1))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $inner)))))
        (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))
      (local.get $n)))`,
  'dispatch by br_table': `(module (memory (export "memory") 1)
    (func (export "run") (result i32) (local $pc i32) (local $acc i32)
      (loop $next
        (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
        (block $end (block $two (block $one (block $zero
          (br_table $zero $one $two $next $end (i32.rem_u (local.get $pc) (i32.const 7))))
          (local.set $acc (i32.add (local.get $acc) (i32.const 3))) (br $next))
          (local.set $acc (i32.mul (local.get $acc) (i32.const 5))) (br $next))
          (local.set $acc (i32.xor (local.get $acc) (local.get $pc))))
        (br_if $next (i32.lt_u (local.get $pc) (i32.const 50000))))
      (local.get $acc)))`,
  'calls through a table': `(module (memory (export "memory") 1) (type $t (func (param i32) (result i32)))
    (table funcref (elem $inc $dbl))
    (func $inc (type $t) (i32.add (local.get 0) (i32.const 1)))
    (func $dbl (type $t) (i32.shl (local.get 0) (i32.const 1)))
    (func $prepaid (param i32) (result i32) (i32.xor (local.get 0) (i32.const 85)))
    (func (export "run") (result i32) (local $i i32) (local $x i32)
      (loop $l
        (local.set $x (call $prepaid (call_indirect (type $t) (local.get $x) (i32.and (local.get $i) (i32.const 1)))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (local.get $x)))`,
  'bulk memory and growing': `(module (memory (export "memory") 1 4) (data $d "0123456789")
    (func (export "run") (result i32)
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 60000))
      (memory.copy (i32.const 100) (i32.const 0) (i32.const 1001))
      (memory.init $d (i32.const 5) (i32.const 1) (i32.const 9))
      (i32.add (memory.grow (i32.const 2)) (memory.grow (i32.const 100)))))`,
  'exhausted in a loop': `(module (memory (export "memory") 1)
    (func (export "run") (result i32) (local $i i32)
      (loop $l
        (i32.store (i32.and (local.get $i) (i32.const 0xfff0)) (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 13)))
        (br $l)) (i32.const 0)))`,
  'exhausted by one fill': `(module (memory (export "memory") 160)
    (func (export "run") (result i32)
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 10000000))
      (memory.fill (i32.const 0) (i32.const 8) (i32.const 10000000)) (i32.const 1)))`,
};
