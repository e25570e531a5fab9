//! Cuts the series out of an answer while it arrives.
//!
//! Almost all of an answer is the list `data.result`, and each of its elements can be read alone. They
//! are cut out as soon as they are whole, so that neither the text of the answer nor anything that grows
//! with it is kept beside the samples. What is left is the rest of the document, with `{}` in place of
//! each series; it is read at the end and says everything else. A document that is no JSON is none
//! without its series either: each was read by itself, and the rest is not JSON then.

/// The depth at which the series lie: within the document, `data` and `result`.
const SERIES_DEPTH: usize = 3;

/// The objects that lead to the list, each with the field that leads on.
const PATH: [&[u8]; SERIES_DEPTH - 1] = [b"data", b"result"];

/// What stands in the rest in place of a series.
const PLACEHOLDER: &[u8] = b"{}";

/// Where in a document one is, and what was not handed on of it.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// The document without its series.
    rest: Vec<u8>,
    /// The beginning of a series that is not whole.
    begun: Vec<u8>,
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// How far the path to the list has been followed: so many of the innermost containers lie on it.
    followed: usize,
    /// Where the last text began in the rest, and where it ended: it may be the name of a field.
    text: (usize, usize),
    is_in_series: bool,
}

impl Cutter {
    /// Goes on with the document, and hands on each series that is whole.
    ///
    /// # Errors
    ///
    /// What `take` fails with. Nothing is to be read after that.
    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = 0;
        while let Some(left) = bytes.get(at..).filter(|left| !left.is_empty()) {
            if !self.is_in_series {
                at += self.pass_rest(left);
                continue;
            }
            let (length, is_whole) = self.pass_series(left);
            let piece = left.get(..length).unwrap_or(left);
            at += piece.len();
            match (is_whole, self.begun.is_empty()) {
                (true, true) => take(piece)?,
                (true, false) => {
                    self.begun.extend_from_slice(piece);
                    take(&self.begun)?;
                    self.begun.clear();
                }
                (false, _) => self.begun.extend_from_slice(piece),
            }
        }
        Ok(())
    }

    /// The document without its series. One that was not whole is a part of it.
    pub(super) fn rest(mut self) -> Vec<u8> {
        if self.is_in_series {
            // The placeholder stands for it already, and it is not what was sent.
            self.rest.truncate(self.rest.len() - PLACEHOLDER.len());
        }
        self.rest.append(&mut self.begun);
        self.rest
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.rest.capacity() + self.begun.capacity()
    }

    /// Passes over what belongs to no series, up to the next one. Returns how many bytes that were.
    fn pass_rest(&mut self, bytes: &[u8]) -> usize {
        for (index, &byte) in bytes.iter().enumerate() {
            if self.is_in_text {
                self.pass_text(byte);
                self.rest.push(byte);
                if !self.is_in_text {
                    self.text.1 = self.rest.len() - 1;
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.is_in_text = true;
                    self.text.0 = self.rest.len() + 1;
                }
                b'{' | b'[' => {
                    if self.depth == SERIES_DEPTH && self.followed == SERIES_DEPTH && byte == b'{' {
                        self.is_in_series = true;
                        self.rest.extend_from_slice(PLACEHOLDER);
                        return index;
                    }
                    self.open(byte);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.followed = self.followed.min(self.depth);
                }
                _ => {}
            }
            self.rest.push(byte);
        }
        bytes.len()
    }

    /// Enters a container, and sees whether it lies on the path: the document itself, then whatever
    /// the fields of the path hold.
    fn open(&mut self, byte: u8) {
        let is_list = self.depth == SERIES_DEPTH - 1;
        let is_named = match self.depth.checked_sub(1).map(|outer| PATH.get(outer)) {
            None => true,
            Some(Some(&name)) => self.follows(name),
            Some(None) => false,
        };
        let is_kind = byte == if is_list { b'[' } else { b'{' };
        if self.followed == self.depth && self.depth < SERIES_DEPTH && is_named && is_kind {
            self.followed += 1;
        }
        self.depth += 1;
    }

    /// Whether what comes now is the value of a field of that name.
    fn follows(&self, name: &[u8]) -> bool {
        let (start, end) = self.text;
        let between = self.rest.get(end..).unwrap_or_default().iter();
        // The end of the text and a colon.
        let is_value = between
            .filter(|byte| !byte.is_ascii_whitespace())
            .eq(b"\":");
        is_value && self.rest.get(start..end) == Some(name)
    }

    fn pass_text(&mut self, byte: u8) {
        if self.is_escaped {
            self.is_escaped = false;
        } else if byte == b'\\' {
            self.is_escaped = true;
        } else if byte == b'"' {
            self.is_in_text = false;
        }
    }

    /// Passes over a part of a series. Returns how many bytes that are, and whether it ends with them.
    ///
    /// Braces alone say where a series ends: one whose brackets do not match is no JSON when it is read.
    fn pass_series(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(left) = bytes.get(at..).filter(|left| !left.is_empty()) {
            if self.is_escaped {
                self.is_escaped = false;
                at += 1;
                continue;
            }
            let found = if self.is_in_text {
                memchr::memchr2(b'"', b'\\', left)
            } else {
                memchr::memchr3(b'"', b'{', b'}', left)
            };
            let Some(place) = found else {
                break;
            };
            at += place + 1;
            match left.get(place) {
                Some(b'"') => self.is_in_text = !self.is_in_text,
                Some(b'\\') => self.is_escaped = true,
                Some(b'{') => self.depth += 1,
                _ => {
                    self.depth -= 1;
                    if self.depth == SERIES_DEPTH {
                        self.is_in_series = false;
                        return (at, true);
                    }
                }
            }
        }
        (bytes.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The series that are cut out of a document that arrives in pieces of some bytes, and the rest.
    fn cut(document: &str, piece: usize) -> (Vec<String>, String) {
        let mut cutter = Cutter::default();
        let mut series = Vec::new();
        for bytes in document.as_bytes().chunks(piece) {
            let taken = cutter.push(bytes, |one| {
                series.push(String::from_utf8(one.to_vec()).unwrap());
                Ok::<(), ()>(())
            });
            taken.unwrap();
        }
        (series, String::from_utf8(cutter.rest()).unwrap())
    }

    #[test]
    fn series_are_cut_out_wherever_the_pieces_end() {
        let one = r#"{"metric":{"a":"}]\"{"},"values":[[1,"2"],[3,"4"]]}"#;
        let other = r#"{"metric":{"b\\":"["},"value":[1,"2"]}"#;
        let document = format!(
            r#"{{"status":"success", "data" : {{"resultType":"matrix","result":[{one}, {other}]}},"x":1}}"#
        );
        let rest =
            r#"{"status":"success", "data" : {"resultType":"matrix","result":[{}, {}]},"x":1}"#;
        for piece in 1..=document.len() {
            let (series, left) = cut(&document, piece);
            assert_eq!(series, [one, other], "{piece}");
            assert_eq!(left, rest, "{piece}");
        }
    }

    #[test]
    fn only_the_objects_of_the_list_are_series() {
        for document in [
            "",
            "{}",
            r#"{"data":{"result":[1,"2"]}}"#,
            r#"{"data":{"result":[[{}]]}}"#,
            r#"{"data":{"other":[{}]}}"#,
            r#"{"other":{"result":[{}]}}"#,
            r#"{"stats":{"data":{"result":[{}]}}}"#,
            r#"{"data":[{"result":[{}]}]}"#,
            r#"[{"data":{"result":[{}]}}]"#,
            r#"{"data":"x","y":{"result":[{}]}}"#,
            r#"{"data":{"result":{"a":{}}}}"#,
            r#"{"data":{"a":"result","b":[{}]}}"#,
        ] {
            assert_eq!(cut(document, 1), (Vec::new(), document.to_owned()));
        }
    }

    #[test]
    fn what_is_cut_off_stays_with_the_rest() {
        let document = r#"{"data":{"result":[{"metric":{}},{"metric":{"a"#;
        let (series, rest) = cut(document, 7);
        assert_eq!(series, [r#"{"metric":{}}"#]);
        assert_eq!(rest, r#"{"data":{"result":[{},{"metric":{"a"#);
    }

    proptest! {
        #[test]
        fn no_document_is_taken_apart_wrongly_or_panics(
            document in r#"[\[\]{}",:a\\ ]{0,60}"#,
            piece in 1_usize..7,
        ) {
            let document = format!(r#"{{"data":{{"result":[{document}"#);
            let (series, mut rest) = cut(&document, piece);
            for one in series {
                rest = rest.replacen("{}", &one, 1);
            }
            // An empty series is its own placeholder, so that only the lengths can differ.
            prop_assert!(rest.len() <= document.len());
        }
    }
}
