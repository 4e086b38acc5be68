//! `skynet.crypt`, `md5`, `sproto` and `bson` against what a genuine skynet makes of the same cases
//! (`tests/vectors/record.sh`): bytes and errors.

use std::fs;
use std::path::Path;

use super::support::Folder;

fn compare(format: &str) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let folder = Folder::new();
    folder.write("main.lua", fs::read(vectors.join("print.lua")).unwrap());
    folder.write("cases.lua", fs::read(vectors.join(format).join("cases.lua")).unwrap());
    folder.config("logger = 'log'\ncases = 'cases.lua'");
    let (status, output, errors) = folder.run();
    let expected = fs::read_to_string(vectors.join(format).join("vectors.tsv")).unwrap();
    for (line, wanted) in output.lines().zip(expected.lines()) {
        assert_eq!(line, wanted, "{format}");
    }
    assert_eq!(output.lines().count(), expected.lines().count(), "{errors}{}", folder.read("log"));
    assert_eq!(status, Some(0), "{}", folder.read("log"));
}

#[test]
fn crypt_makes_the_bytes_of_a_genuine_skynet() {
    compare("crypt");
}

#[test]
fn md5_makes_the_bytes_of_a_genuine_skynet() {
    compare("md5");
}

#[test]
fn sproto_makes_the_bundles_and_bytes_of_a_genuine_skynet() {
    compare("sproto");
}

#[test]
fn bson_makes_the_bytes_of_a_genuine_skynet() {
    compare("bson");
}
