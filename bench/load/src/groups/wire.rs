//! Kafka's primitive types in flexible versions: written into one frame, read from one answer.
//!
//! Invariants: a frame carries its length; a read past the end is an error, never a panic; nothing is reserved from a
//! length that an answer names.

/// A request under construction: length, header version 2, then what the caller appends.
pub struct Frame(Vec<u8>);

impl Frame {
    pub fn new(api_key: i16, api_version: i16, correlation: i32) -> Frame {
        let mut frame = Frame(vec![0; 4]);
        frame.int16(api_key).int16(api_version).int32(correlation).int16(4);
        frame.0.extend_from_slice(b"load");
        frame.tags();
        frame
    }

    pub fn int16(&mut self, value: i16) -> &mut Frame {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn int32(&mut self, value: i32) -> &mut Frame {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn int64(&mut self, value: i64) -> &mut Frame {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn byte(&mut self, value: u8) -> &mut Frame {
        self.0.push(value);
        self
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Frame {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The count of a compact array; null is `null`.
    pub fn count(&mut self, count: usize) -> &mut Frame {
        self.varint(count + 1)
    }

    /// A null string, array or byte string, all of them compact.
    pub fn null(&mut self) -> &mut Frame {
        self.byte(0)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Frame {
        self.varint(bytes.len() + 1).raw(bytes)
    }

    pub fn string(&mut self, text: &str) -> &mut Frame {
        self.bytes(text.as_bytes())
    }

    /// No tagged fields.
    pub fn tags(&mut self) -> &mut Frame {
        self.byte(0)
    }

    pub fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }

    fn varint(&mut self, value: usize) -> &mut Frame {
        let mut rest = value;
        while rest >= 0x80 {
            self.0.push((rest as u8) | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8)
    }
}

/// An answer behind its length.
pub struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    pub fn new(bytes: &'a [u8]) -> Answer<'a> {
        Answer(bytes)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        if count > self.0.len() {
            return Err("an answer ends in the middle of a field".into());
        }
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        Ok(head)
    }

    pub fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    pub fn int16(&mut self) -> Result<i16, String> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into().expect("two bytes")))
    }

    pub fn int32(&mut self) -> Result<i32, String> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    pub fn int64(&mut self) -> Result<i64, String> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    /// The count of a compact array; None: null.
    pub fn count(&mut self) -> Result<Option<usize>, String> {
        Ok(self.varint()?.checked_sub(1))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], String> {
        match self.count()? {
            None => Ok(&[]),
            Some(length) => self.take(length),
        }
    }

    pub fn string(&mut self) -> Result<String, String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| "an answer holds a string that is not UTF-8".into())
    }

    pub fn tags(&mut self) -> Result<(), String> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<usize, String> {
        let mut value = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= ((byte & 0x7f) as usize) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("an answer holds a number of more than five bytes".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote() {
        let long = "x".repeat(300);
        let mut frame = Frame::new(8, 9, 7);
        frame.int16(-2).int64(i64::MIN).string(&long).null().count(0).tags();
        let bytes = frame.finish();
        assert_eq!(u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len() - 4);
        // Key, version, correlation id, client id of four letters and no tags stand before it.
        let mut answer = Answer::new(&bytes[4 + 15..]);
        assert_eq!(answer.int16(), Ok(-2));
        assert_eq!(answer.int64(), Ok(i64::MIN));
        assert_eq!(answer.string(), Ok(long));
        assert_eq!(answer.count(), Ok(None));
        assert_eq!(answer.count(), Ok(Some(0)));
        assert_eq!(answer.tags(), Ok(()));
        assert!(answer.byte().is_err());
    }

    #[test]
    fn refuses_a_length_beyond_the_end() {
        assert!(Answer::new(&[0xff, 0xff, 0xff, 0xff, 0x07, 1]).bytes().is_err());
        assert!(Answer::new(&[0xff; 6]).count().is_err());
    }
}
