//! Aligned columns of plain text.

use std::fmt::{self, Write};

/// Rows under a heading, each column as wide as its widest cell. Further lines of a cell stand under the first.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned)] }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widths = cells.flat_map(|cell| cell.lines()).map(|line| line.chars().count());
        widths.max().unwrap_or(0)
    }
}

/// Indented by two spaces, two spaces between columns, none at the end of a line, no line break at the end.
impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..N).map(|column| self.width(column)).collect();
        for (place, row) in self.rows.iter().enumerate() {
            let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
            for line in 0..height {
                let mut text = String::new();
                for (cell, width) in row.iter().zip(&widths) {
                    let part = cell.lines().nth(line).unwrap_or_default();
                    write!(text, "  {part:width$}")?;
                }
                let end = if place + 1 == self.rows.len() && line + 1 == height { "" } else { "\n" };
                write!(f, "{}{end}", text.trim_end())?;
            }
        }
        Ok(())
    }
}
