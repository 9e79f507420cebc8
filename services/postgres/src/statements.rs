//! Where the statements of a SQL file begin: as far as a semicolon within a text or a comment isn't taken for an end.

/// The byte at which each statement begins; none where that can't be told.
pub(super) fn starts(sql: &str) -> Option<Vec<usize>> {
    // The body of such a function has semicolons of its own.
    if sql.to_ascii_uppercase().contains("BEGIN ATOMIC") {
        return None;
    }
    let mut starts = Vec::new();
    let mut inside = false;
    let mut at = 0;
    while let Some(c) = sql[at..].chars().next() {
        if let Some(length) = comment(&sql[at..]) {
            at += length;
            continue;
        }
        if c == ';' {
            inside = false;
        } else if !inside && !c.is_whitespace() {
            inside = true;
            starts.push(at);
        }
        at += quoted(sql, at).unwrap_or(c.len_utf8());
    }
    Some(starts)
}

/// The length of the comment that `rest` begins with.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("--") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    // Comments of this kind nest.
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let step = &rest.as_bytes()[at..];
        if step.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if step.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    Some(at)
}

/// The length of the text, name or dollar-quoted body that begins at `at`.
fn quoted(sql: &str, at: usize) -> Option<usize> {
    let rest = &sql[at..];
    let before = sql[..at].chars().next_back();
    let quote = rest.chars().next()?;
    match quote {
        '\'' => Some(to_closing(rest, b'\'', matches!(before, Some('e' | 'E')))),
        '"' => Some(to_closing(rest, b'"', false)),
        '$' if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') => {
            let tag = &rest[..=rest[1..].find('$')? + 1];
            let is_tag = tag[1..tag.len() - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
            let numbered = tag[1..].starts_with(|c: char| c.is_ascii_digit());
            let end = rest[tag.len()..].find(tag)?;
            (is_tag && !numbered).then_some(end + 2 * tag.len())
        }
        _ => None,
    }
}

/// A doubled quote ends one text and begins the next, which comes to the same.
fn to_closing(rest: &str, quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.as_bytes().get(at) {
        at += if escapes && *byte == b'\\' { 2 } else { 1 };
        if *byte == quote {
            break;
        }
    }
    at.min(rest.len())
}

#[cfg(test)]
mod tests {
    use super::starts;

    /// The first word of each statement.
    fn words(sql: &str) -> Vec<&str> {
        let starts = starts(sql).expect("it can be told");
        starts
            .into_iter()
            .filter_map(|start| sql[start..].split([' ', ';']).next())
            .collect()
    }

    #[test]
    fn statements_end_at_semicolons() {
        assert_eq!(words("A 1;\nB 2 ; ;\n C"), ["A", "B", "C"]);
        assert!(words(" ;; \n").is_empty());
    }

    #[test]
    fn what_is_quoted_ends_no_statement() {
        assert_eq!(words("A ';' ''';' ;B \";\";C E'\\';' ;D"), ["A", "B", "C", "D"]);
        assert_eq!(
            words("A $$;$$; B $x$ ; $$ ; $x$; C $1; D a$b;E"),
            ["A", "B", "C", "D", "E"]
        );
    }

    #[test]
    fn comments_are_no_part_of_a_statement() {
        assert_eq!(words("-- a; b\n/* c; /* d; */ ; */ A -- ;\n; /* é; */ B"), ["A", "B"]);
    }

    #[test]
    fn what_is_never_closed_ends_with_the_file() {
        for open in ["A '", "A \"é", "A $$ ;", "/* ;", "-- ;", "A E'\\"] {
            assert!(starts(open).is_some_and(|starts| starts.len() <= 2), "{open}");
        }
    }

    #[test]
    fn a_function_with_statements_in_it_is_left_alone() {
        assert_eq!(starts("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END; B"), None);
    }
}
