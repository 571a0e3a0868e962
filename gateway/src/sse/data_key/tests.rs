//! Each mode: a key written is found again, and nothing else finds it.
