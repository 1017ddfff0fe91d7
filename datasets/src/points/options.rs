//! What a reader of tables is told about a file, where it does not find out by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How to read a table, and which of its columns; without any of it, everything is found in the file, or an error says what
/// has to be stated. `delimiter`, `decimal`, `comment` and `header` concern text only.
///
/// # Examples
/// ```
/// use datasets::points::{Delimiter, Missing, TableOptions};
///
/// let options: TableOptions = serde_json::from_str(r#"{"delimiter": ";", "missing": "drop", "exclude": ["date"]}"#)?;
/// assert_eq!((options.delimiter, options.missing), (Some(Delimiter::Semicolon), Missing::Drop));
/// assert!(serde_json::from_str::<TableOptions>(r#"{"delimeter": ";"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableOptions {
    /// Between the fields of a line: `","`, `";"`, `"tab"` or `"blanks"` (any number of them) [default: found].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<Delimiter>,
    /// Before the decimals of a number: `"."` or `","` [default: found].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// Lines that begin with this ASCII character are comments [default: no line is one].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
    /// Whether the first line holds the names of the columns [default: found; a first line that could be either is an error].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// What becomes of rows with a missing or infinite value: `"error"` or `"drop"` [default: "error"].
    #[serde(skip_serializing_if = "Missing::is_default")]
    pub missing: Missing,
    /// The columns to read, by name, in this order [default: all]. Others need not be numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Columns to leave out, by name [default: none].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// The separator between the fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Delimiter {
    /// `,`
    #[serde(rename = ",", alias = "comma")]
    Comma,
    /// `;`
    #[serde(rename = ";", alias = "semicolon")]
    Semicolon,
    /// A tab.
    #[serde(rename = "tab", alias = "\t")]
    Tab,
    /// Any number of blanks or tabs, as `numpy.savetxt` and Fortran write.
    #[serde(rename = "blanks", alias = " ")]
    Blanks,
}

impl Delimiter {
    /// The byte at which a line is split.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Blanks => b' ',
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comma => "`,`",
            Self::Semicolon => "`;`",
            Self::Tab => "tab",
            Self::Blanks => "blanks",
        })
    }
}

/// The separator between a number's whole part and its decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decimal {
    /// `.`
    #[serde(rename = ".", alias = "point")]
    Point,
    /// `,`
    #[serde(rename = ",", alias = "comma")]
    Comma,
}

/// The treatment of a row in which a value is missing or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// An error says how many there are in which columns.
    #[default]
    Error,
    /// The row is left out, which the summary counts by reason.
    Drop,
}

impl Missing {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
