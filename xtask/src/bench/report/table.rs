//! Tables in Markdown.

/// One that is aligned, so that it is readable as it stands.
pub(super) fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(1)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let ruler: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&heads) + &line(&ruler) + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// Names and values.
pub(super) fn of_facts(head: &str, facts: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    table(&[head, ""], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = [
            vec!["é".to_owned(), "1".to_owned()],
            vec!["long".to_owned(), "2".to_owned()],
        ];
        assert_eq!(
            table(&["a", "ms"], rows),
            "| a    | ms |\n| ---- | -- |\n| é    | 1  |\n| long | 2  |\n"
        );
    }
}
