//! A table for people: columns as wide as their widest cell, names on the left, numbers on the
//! right.

use std::fmt::Display;

/// Lines up rows of cells, the first of which are the headings. A column whose cells below the
/// heading are all numbers is aligned to the right.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let is_number = |cell: &String| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
    let columns: [(usize, bool); N] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        let numbers = rows.len() > 1 && rows[1..].iter().all(|row| is_number(&row[column]));
        (widths.max().unwrap_or(0), numbers)
    });
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, (width, is_numbers)) in row.iter().zip(columns) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            if is_numbers {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:width$}"));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The cells of a row.
pub(crate) fn row<const N: usize>(cells: [&dyn Display; N]) -> [String; N] {
    cells.map(|cell| printable(&cell.to_string()))
}

/// Names come from the tap; a terminal must not obey them.
pub(crate) fn printable(text: &str) -> String {
    let visible = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_left_and_numbers_right() {
        let rows = [
            row([&"stream", &"keys", &"note"]),
            row([&"a\u{1b}b", &1_000, &""]),
            row([&"customers", &7, &"x"]),
        ];
        let expected = "stream     keys  note\na\u{fffd}b        1000\ncustomers     7  x\n";
        assert_eq!(table(&rows), expected);
    }
}
