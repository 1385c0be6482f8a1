//! The bytes that are stored, exactly.

use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{raw_record, schema};

/// Keeps the two times out of the bytes, which are then the same in each run.
const TIMES: &str = r#""_sdc_extracted_at":"e","_sdc_received_at":"r""#;

/// What is stored for a record with these members; its key is 1.
async fn stored(case: &Case, members: &str) -> Vec<u8> {
    let input = [
        schema("s", json!({"id": {"type": "integer"}}), &["id"]),
        raw_record("s", &format!("{{\"id\":1,{members},{TIMES}}}")),
    ]
    .concat();
    let _ = case.load(input).success();
    let entry = case
        .bucket()
        .await
        .get("s.1")
        .await
        .expect("it was written");
    entry.value.to_vec()
}

#[tokio::test]
async fn json() {
    for (members, as_stored) in [
        (r#""z":1,"a":2"#, r#""z":1,"a":2"#),
        (r#" "z" : [ 1 , { "y" : null } ] "#, r#""z":[1,{"y":null}]"#),
        (
            r#""p":1.10,"q":1e2,"r":1E+2,"s":-0.0"#,
            r#""p":1.10,"q":1e2,"r":1E+2,"s":-0.0"#,
        ),
        (
            r#""big":1180591620717411303424"#,
            r#""big":1180591620717411303424"#,
        ),
        (
            r#""long":0.1234567890123456789"#,
            r#""long":0.1234567890123456789"#,
        ),
        (r#""huge":1e400"#, r#""huge":1e400"#),
        (r#""t":"\u00e9\u20ac\ud83d\ude00""#, r#""t":"é€😀""#),
        (r#""t":"é/\/""#, r#""t":"é//""#),
        (r#""t":"\"\\\b\f\n\r\t""#, r#""t":"\"\\\b\f\n\r\t""#),
        (r#""t":"\u0001\u001f""#, r#""t":"\u0001\u001f""#),
        (r#""\u0061":1"#, r#""a":1"#),
        (
            r#""e":{},"f":[],"g":"","h":true,"i":false"#,
            r#""e":{},"f":[],"g":"","h":true,"i":false"#,
        ),
        (r#""v":1,"w":2,"v":3"#, r#""w":2,"v":3"#),
    ] {
        let bytes = stored(&Case::new().set("refresh_mode", "full"), members).await;
        let text = String::from_utf8(bytes).expect("JSON is UTF-8");
        // Where the last of equal members stands is not promised, only that it counts.
        let places = [as_stored, r#""v":3,"w":2"#];
        let expected = places.map(|members| format!("{{\"id\":1,{members},{TIMES}}}"));
        if members.contains("\"v\":3") {
            assert!(expected.contains(&text), "{text}");
        } else {
            assert_eq!(text, expected[0]);
        }
    }
}

/// The start of a MessagePack map of four members, the first of them the key.
fn map_of_four() -> Vec<u8> {
    [&[0x84, 0xa2][..], b"id", &[0x01, 0xa1], b"v"].concat()
}

fn times() -> Vec<u8> {
    [
        &[0xb1][..],
        b"_sdc_extracted_at",
        &[0xa1],
        b"e",
        &[0xb0],
        b"_sdc_received_at",
        &[0xa1],
        b"r",
    ]
    .concat()
}

#[tokio::test]
async fn msgpack() {
    for (value, bytes) in [
        ("0", &[0x00][..]),
        ("127", &[0x7f]),
        ("128", &[0xcc, 0x80]),
        ("256", &[0xcd, 0x01, 0x00]),
        ("65536", &[0xce, 0x00, 0x01, 0x00, 0x00]),
        ("4294967296", &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
        (
            "18446744073709551615",
            &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
        ),
        ("-1", &[0xff]),
        ("-32", &[0xe0]),
        ("-33", &[0xd0, 0xdf]),
        ("-129", &[0xd1, 0xff, 0x7f]),
        ("-32769", &[0xd2, 0xff, 0xff, 0x7f, 0xff]),
        ("-9223372036854775808", &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("1.5", &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
        (
            "1.10",
            &[0xcb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
        ),
        (
            "0.1",
            &[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
        ),
        ("1.0", &[0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("null", &[0xc0]),
        ("true", &[0xc3]),
        ("false", &[0xc2]),
        ("\"é\"", &[0xa2, 0xc3, 0xa9]),
        ("[1,[]]", &[0x92, 0x01, 0x90]),
        ("{\"a\":{}}", &[0x81, 0xa1, b'a', 0x80]),
    ] {
        let case = Case::new().set("msgpack", true).set("refresh_mode", "full");
        let stored = stored(&case, &format!("\"v\":{value}")).await;
        assert_eq!(
            stored,
            [&map_of_four()[..], bytes, &times()].concat(),
            "for {value}"
        );
    }
}

#[tokio::test]
async fn encoding_is_the_long_form_of_msgpack() {
    let case = Case::new().set("encoding", "msgpack");
    assert_eq!(stored(&case, "\"v\":1").await[0], 0x84);
    let case = Case::new().set("encoding", "json");
    assert_eq!(stored(&case, "\"v\":1").await[0], b'{');
}

/// Numbers that MessagePack cannot carry exactly are never rounded unless the user chose it.
#[tokio::test]
async fn numbers_that_msgpack_does_not_have() {
    for number in [
        "1180591620717411303424",
        "-9223372036854775809",
        "0.1234567890123456789",
        "1e400",
    ] {
        let members = format!("\"v\":{number}");
        let case = || Case::new().set("msgpack", true);

        let by_default = stored(&case(), &members).await;
        let length = u8::try_from(number.len()).expect("short");
        let string = [&[0xa0 | length][..], number.as_bytes()].concat();
        assert_eq!(
            by_default,
            [map_of_four(), string, times()].concat(),
            "for {number}"
        );

        let input = [
            schema("s", json!({"id": {}}), &["id"]),
            raw_record("s", &format!("{{\"id\":1,{members}}}")),
        ]
        .concat();
        let outcome = case()
            .set("msgpack_big_numbers", "error")
            .load(input)
            .exited(1);
        assert!(outcome.stderr.contains("line 2"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("/v"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(number), "{}", outcome.stderr);

        if number != "1e400" {
            let rounded = stored(&case().set("msgpack_big_numbers", "float"), &members).await;
            let float: f64 = number.parse().expect("a number");
            let bytes = [&[0xcb][..], &float.to_be_bytes()].concat();
            assert_eq!(
                rounded,
                [map_of_four(), bytes, times()].concat(),
                "for {number}"
            );
        }
    }
}
