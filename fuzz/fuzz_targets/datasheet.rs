//! Fuzz target: bytes from anywhere as a datasheet.
#![no_main]

use node::shared::sheet;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok((tree, numbers)) = sheet::undump(bytes) {
        assert_eq!(tree.tables(), numbers.len());
        if let Ok(again) = sheet::dump(&tree) {
            let (read, _) = sheet::undump(&again).expect("what was written can be read");
            assert_eq!(read.tables(), tree.tables());
        }
        let _ = sheet::diff(bytes, bytes);
    }
});
