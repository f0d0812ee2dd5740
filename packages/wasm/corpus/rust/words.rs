//! Counts the words of a text it makes, n times: strings, hash maps, sorting and formatting of Rust's
//! standard library.
use std::collections::HashMap;

const SYLLABLES: [&str; 8] = ["ka", "lo", "mi", "ren", "so", "tu", "va", "zel"];

fn text(seed: u32) -> String {
    let mut state = seed;
    let mut words = Vec::new();
    for _ in 0..5_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = 1 + (state >> 30) as usize;
        words.push((0..length).map(|i| SYLLABLES[(state >> (8 + 3 * i)) as usize % 8]).collect::<String>());
    }
    words.join(" ")
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut counts: HashMap<String, u64> = HashMap::new();
    for round in 0..rounds {
        for word in text(round).split(' ') {
            *counts.entry(word.to_uppercase()).or_insert(0) += 1;
        }
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    println!("{} words, most often {:?}", sorted.len(), &sorted[..3]);
}
