//! Bytes one after another, none beyond the end.

use std::rc::Rc;

/// What is left of a pickle.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What went wrong at one opcode.
pub(super) type Step<T = ()> = Result<T, String>;

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, count: u64) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let count = usize::try_from(count).ok().filter(|count| *count <= rest.len());
        let count = count.ok_or("it ends within a value")?;
        self.at += count;
        Ok(&rest[..count])
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.take(N as u64)?.try_into().map_err(|_| "it ends within a value".to_owned())
    }

    pub(super) fn u8(&mut self) -> Step<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Step<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Step<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Step<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Step<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A text of so many bytes; what is no UTF-8 becomes a replacement character.
    pub(super) fn text(&mut self, count: u64) -> Step<Rc<str>> {
        Ok(String::from_utf8_lossy(self.take(count)?).into())
    }

    /// A text up to the end of the line.
    pub(super) fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("a name has no end")?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| "a name is no text".to_owned())
    }

    /// A whole number of so many bytes, lowest first; none if it has more than 64 bits.
    pub(super) fn long(&mut self, count: u64) -> Step<Option<i64>> {
        let bytes = self.take(count)?;
        let sign = bytes.last().map_or(0, |last| if *last >= 0x80 { 0xff } else { 0 });
        let mut wide = [sign; 8];
        let kept = bytes.len().min(wide.len());
        wide[..kept].copy_from_slice(&bytes[..kept]);
        let value = i64::from_le_bytes(wide);
        let fits = bytes[kept..].iter().all(|byte| *byte == sign) && (value < 0) == (sign == 0xff);
        Ok(fits.then_some(value))
    }
}
