//! White space as `str.strip` sees it.

/// Whether Python's `str.isspace` holds: Unicode white space and U+001C–U+001F.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `str.strip()`: removes Python's white space at both ends; keeps zero-width characters.
pub fn py_strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_separators_are_space_and_zero_width_is_not() {
        assert_eq!(py_strip("\u{1c}\u{1f}\u{a0} a b\u{3000}\u{85}"), "a b");
        assert_eq!(
            py_strip("\u{200b}a\u{feff}\u{180e}"),
            "\u{200b}a\u{feff}\u{180e}"
        );
    }
}
