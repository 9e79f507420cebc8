//! The charts of `docs/performance.md`. They are drawn from its tables, so that both say the same.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use super::page;
use crate::line::root;

const FOLDER: &str = "docs/charts";

struct Chart {
    /// The file's name without its ending, and that of the table's place in the page.
    name: &'static str,
    title: &'static str,
    series: &'static [Series],
}

/// A column of the table.
struct Series {
    name: &'static str,
    column: usize,
    color: &'static str,
}

const fn series(name: &'static str, column: usize, color: &'static str) -> Series {
    Series { name, column, color }
}

const GREY: &str = "#8c959f";
const GREEN: &str = "#2da44e";
const BLUE: &str = "#218bff";
const AMBER: &str = "#d4a72c";
const RED: &str = "#cf222e";

const KINDS: &[Series] = &[
    series("floor", 1, GREY),
    series("itest, transaction", 2, GREEN),
    series("itest, database", 3, BLUE),
    series("a clone each", 4, AMBER),
    series("#[sqlx::test]", 5, RED),
];

const CHARTS: [Chart; 6] = [
    Chart {
        name: "suites",
        title: "A hundred tests with small writes, 40 tables: ms a test",
        series: &[series("cargo nextest run", 1, BLUE), series("cargo test", 3, GREEN)],
    },
    Chart {
        name: "kinds-write",
        title: "Small writes, cargo nextest run: ms a test",
        series: KINDS,
    },
    Chart {
        name: "kinds-read",
        title: "Reading only, cargo nextest run: ms a test",
        series: KINDS,
    },
    Chart {
        name: "kinds-truncate",
        title: "TRUNCATE, cargo nextest run: ms a test",
        series: KINDS,
    },
    Chart {
        name: "kinds-ddl",
        title: "DDL, cargo nextest run: ms a test",
        series: KINDS,
    },
    Chart {
        name: "soak",
        title: "Ten thousand tests in one run: ms a test, by tenths of the run",
        series: &[series("itest, database", 1, BLUE)],
    },
];

/// Draws all charts of the page as it is now.
pub(super) fn write() -> Result<()> {
    let page = page::read()?;
    fs::create_dir_all(root().join(FOLDER)).with_context(|| format!("failed to create {FOLDER}"))?;
    for chart in &CHARTS {
        let path = chart.path();
        fs::write(root().join(&path), chart.draw(&page)?).with_context(|| format!("failed to write {path}"))?;
    }
    println!("bench: the charts in {FOLDER} are drawn");
    Ok(())
}

/// A row of the table: what it is about, and what each series says of it.
type Row = (String, Vec<f64>);

const WIDTH: f64 = 760.0;
/// Where bars begin and how long the longest may be: its number follows it.
const BARS: f64 = 300.0;
const LONGEST: f64 = 390.0;
const BAR: f64 = 13.0;
const BETWEEN_BARS: f64 = 3.0;
const BETWEEN_ROWS: f64 = 12.0;
const HEAD: f64 = 64.0;

impl Chart {
    fn path(&self) -> String {
        format!("{FOLDER}/{}.svg", self.name)
    }

    fn rows(&self, page: &str) -> Result<Vec<Row>> {
        let table = page::table(page, self.name).with_context(|| format!("the page has no table `{}`", self.name))?;
        let lines = table.lines().filter_map(|line| line.strip_prefix('|')).skip(2);
        let rows = lines.map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let values = self.series.iter().map(|series| {
                let cell = cells.get(series.column).copied().unwrap_or_default();
                milliseconds(cell).with_context(|| format!("`{cell}` in the table `{}` tells no time", self.name))
            });
            Ok((cells[0].replace('`', ""), values.collect::<Result<_>>()?))
        });
        let rows: Vec<Row> = rows.collect::<Result<_>>()?;
        if rows.is_empty() {
            bail!("the table `{}` is empty", self.name);
        }
        Ok(rows)
    }

    fn draw(&self, page: &str) -> Result<String> {
        let rows = self.rows(page)?;
        let most = rows.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let row = self.series.len() as f64 * (BAR + BETWEEN_BARS) + BETWEEN_ROWS;
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let height = HEAD + rows.len() as f64 * row;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" \
             font-size=\"12\" fill=\"#6e7781\">\n<text x=\"8\" y=\"20\" font-size=\"14\" font-weight=\"bold\">{}</text>\n",
            escaped(self.title)
        );
        let mut x = 8.0;
        for Series { name, color, .. } in self.series {
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"33\" width=\"10\" height=\"10\" fill=\"{color}\"/><text x=\"{}\" y=\"42\">{}</text>",
                x + 15.0,
                escaped(name)
            );
            #[expect(clippy::cast_precision_loss, reason = "a name is short")]
            let width = name.len() as f64 * 7.0;
            x += width + 40.0;
        }
        let mut y = HEAD;
        for (name, values) in rows {
            let middle = y + (row - BETWEEN_ROWS) / 2.0 + 3.0;
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>",
                BARS - 8.0,
                escaped(&name)
            );
            for (value, series) in values.iter().zip(self.series) {
                let width = (value / most * LONGEST).max(1.0);
                let _ = writeln!(
                    svg,
                    "<rect x=\"{BARS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
                     <text x=\"{:.1}\" y=\"{}\" font-size=\"11\">{}</text>",
                    series.color,
                    BARS + width + 5.0,
                    y + 10.5,
                    super::figures::digits(*value)
                );
                y += BAR + BETWEEN_BARS;
            }
            y += BETWEEN_ROWS;
        }
        Ok(svg + "</svg>\n")
    }
}

/// Of `10.7 (10.2–11.4)`, `7.04 (6.11–7.53) ms`, or `1.57 (1.42–1.68), 10.7 ms`, where a ratio comes first.
fn milliseconds(cell: &str) -> Option<f64> {
    let time = cell.rsplit(", ").next()?;
    time.split(' ').next()?.parse().ok()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_found_beside_its_range_and_its_ratio() {
        for (cell, time) in [
            ("10.7 (10.2–11.4)", Some(10.7)),
            ("7.04 (6.11–7.53) ms", Some(7.04)),
            ("1.57 (1.42–1.68), 10.7 ms", Some(10.7)),
            ("1.57, 10.7 ms", Some(10.7)),
            ("–", None),
        ] {
            assert_eq!(milliseconds(cell), time, "{cell}");
        }
    }

    #[test]
    fn the_longest_bar_is_that_of_the_greatest_value() {
        let page = "<!-- bench:suites -->\n| 100 tests | a | b | c |\n|---|---|---|---|\n| floor | 2.00 | 1 | 1.00 |\n\
                    | `itest` <1> | 4.00 (3–5) | 2 | 3.00 |\n<!-- /bench:suites -->\n";
        let svg = CHARTS[0].draw(page).expect("the table is whole");
        for part in [
            "width=\"390.0\"",
            "width=\"195.0\"",
            "width=\"97.5\"",
            ">itest &lt;1&gt;<",
            ">4.00<",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn the_charts_are_those_of_the_page() {
        let page = page::read().expect("our own page");
        for chart in &CHARTS {
            let drawn = chart.draw(&page).expect(chart.name);
            let kept = fs::read_to_string(root().join(chart.path())).unwrap_or_default();
            assert!(
                kept == drawn,
                "{} is an older one; run `cargo xtask bench --draw`",
                chart.path()
            );
            assert!(
                page.contains(&format!("](charts/{}.svg)", chart.name)),
                "{}",
                chart.name
            );
        }
    }
}
