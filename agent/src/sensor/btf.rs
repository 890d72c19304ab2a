//! A reader of the kernel's BTF: where is this member in that structure?
//!
//! Written here, and not a library, since it has to be quick and small: it runs at every start over
//! 6 MB of types, of which some thirty matter, and keeps nothing but an index of where each starts.

use std::collections::HashMap;

use thiserror::Error;

/// Why BTF could not be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// The bytes are not BTF, or end early.
    #[error("the kernel's BTF is damaged at byte {0}")]
    Damaged(usize),
    /// The magic number is another one.
    #[error("the file does not hold BTF of this machine's byte order")]
    NotBtf,
}

const MAGIC: u16 = 0xeb9f;

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// How deep anonymous structures and typedefs are followed: deeper is a loop.
const MAX_DEPTH: u32 = 32;

/// Parsed BTF, borrowing the bytes it was read from.
#[derive(Debug)]
pub struct Btf<'b> {
    types: &'b [u8],
    strings: &'b [u8],
    /// Byte offset in `types` of each type; the type with id 1 is at index 0.
    starts: Vec<u32>,
    /// Ids of the structures and unions of each name. Two of one name may differ.
    structures: HashMap<&'b [u8], Vec<u32>>,
    /// Ids of the enumerations.
    enumerations: Vec<u32>,
    /// Ids of the functions whose name starts as one of [`FUNCTIONS`] does.
    functions: HashMap<&'b [u8], u32>,
    /// Ids of the types of tracepoints whose name starts as [`TRACEPOINTS`] does.
    tracepoints: HashMap<&'b [u8], u32>,
}

/// How the names of functions start that can be looked up: those of `io_uring` and of security hooks.
const FUNCTIONS: [&[u8]; 2] = [b"io_", b"security_"];
/// How the names of the types start that tell of tracepoints, as far as they can be looked up.
const TRACEPOINTS: &[u8] = b"btf_trace_io_uring_";

/// A type's fixed part.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    info: u32,
    /// Size in bytes, or the id of another type.
    size_or_id: u32,
    /// Byte offset in `types` of what follows the fixed part.
    rest: usize,
}

impl Type {
    fn kind(self) -> u32 {
        (self.info >> 24) & 0x1f
    }

    fn count(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// Bytes of what follows the fixed part.
    fn rest_len(self) -> usize {
        match self.kind() {
            KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => self.count() * 12,
            KIND_ENUM | KIND_FUNC_PROTO => self.count() * 8,
            _ => 0,
        }
    }
}

impl<'b> Btf<'b> {
    /// Reads the headers and indexes the types.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, BtfError> {
        let magic = bytes.first_chunk::<2>().ok_or(BtfError::Damaged(0))?;
        if u16::from_ne_bytes(*magic) != MAGIC {
            return Err(BtfError::NotBtf);
        }
        let header = |index: usize| word(bytes, 4 + index * 4).map(|value| value as usize);
        let base = header(0)?;
        let section = |offset: usize, length: usize| {
            let start = base.checked_add(offset).ok_or(BtfError::Damaged(base))?;
            let end = start.checked_add(length).ok_or(BtfError::Damaged(start))?;
            bytes.get(start..end).ok_or(BtfError::Damaged(start))
        };
        let types = section(header(1)?, header(2)?)?;
        let strings = section(header(3)?, header(4)?)?;
        let mut btf = Self {
            types,
            strings,
            starts: Vec::with_capacity(types.len() / 40),
            structures: HashMap::new(),
            enumerations: Vec::new(),
            functions: HashMap::new(),
            tracepoints: HashMap::new(),
        };
        let mut next = 0;
        while next < types.len() {
            let this = btf.type_at(next)?;
            btf.starts
                .push(u32::try_from(next).map_err(|_| BtfError::Damaged(next))?);
            let id = u32::try_from(btf.starts.len()).map_err(|_| BtfError::Damaged(next))?;
            match this.kind() {
                KIND_STRUCT | KIND_UNION if this.name != 0 => {
                    btf.structures
                        .entry(btf.string(this.name))
                        .or_default()
                        .push(id);
                }
                KIND_ENUM => btf.enumerations.push(id),
                KIND_FUNC if btf.is_function_of_interest(this.name) => {
                    btf.functions.insert(btf.string(this.name), id);
                }
                KIND_TYPEDEF if btf.strings_from(this.name).starts_with(TRACEPOINTS) => {
                    btf.tracepoints.insert(btf.string(this.name), id);
                }
                _ => {}
            }
            next = this.rest + this.rest_len();
        }
        Ok(btf)
    }

    /// Bytes from the start of the structure to the member. A dot in `member` descends into a
    /// nested structure; anonymous structures and unions are looked through.
    pub fn offset_of(&self, structure: &str, member: &str) -> Option<u32> {
        let candidates = self.structures.get(structure.as_bytes())?;
        candidates.iter().find_map(|id| {
            let mut id = *id;
            let mut bits = 0;
            for part in member.split('.') {
                let (offset, inner) = self.member(id, part.as_bytes(), 0)?;
                bits += offset;
                id = inner;
            }
            Some(bits / 8)
        })
    }

    /// Bytes of a structure.
    pub fn size_of(&self, structure: &str) -> Option<u32> {
        let id = self.structures.get(structure.as_bytes())?.first()?;
        Some(self.by_id(*id)?.size_or_id)
    }

    /// The value of an enumeration's constant.
    pub fn enum_value(&self, enumeration: &str, constant: &str) -> Option<u32> {
        self.enumerations.iter().find_map(|id| {
            let this = self.by_id(*id)?;
            if self.string(this.name) != enumeration.as_bytes() {
                return None;
            }
            (0..this.count()).find_map(|index| {
                let entry = this.rest + index * 8;
                (self.string(word(self.types, entry).ok()?) == constant.as_bytes())
                    .then(|| word(self.types, entry + 4).ok())?
            })
        })
    }

    /// Offset in bits and type of a member of a structure, looking through anonymous members.
    fn member(&self, id: u32, name: &[u8], depth: u32) -> Option<(u32, u32)> {
        if depth > MAX_DEPTH {
            return None;
        }
        let this = self.by_id(self.resolve(id)?)?;
        if !matches!(this.kind(), KIND_STRUCT | KIND_UNION) {
            return None;
        }
        let has_bitfields = this.info >> 31 == 1;
        for index in 0..this.count() {
            let entry = this.rest + index * 12;
            let member_name = word(self.types, entry).ok()?;
            let member_type = word(self.types, entry + 4).ok()?;
            let mut offset = word(self.types, entry + 8).ok()?;
            if has_bitfields {
                // The upper eight bits are the width of a bit field.
                offset &= 0x00ff_ffff;
            }
            if member_name == 0 {
                if let Some((inner, found)) = self.member(member_type, name, depth + 1) {
                    return Some((offset + inner, found));
                }
            } else if self.string(member_name) == name {
                return Some((offset, member_type));
            }
        }
        None
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<u32> {
        for _ in 0..MAX_DEPTH {
            let this = self.by_id(id)?;
            match this.kind() {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    id = this.size_or_id;
                }
                _ => return Some(id),
            }
        }
        None
    }

    fn by_id(&self, id: u32) -> Option<Type> {
        let start = self.starts.get((id as usize).checked_sub(1)?)?;
        self.type_at(*start as usize).ok()
    }

    fn type_at(&self, offset: usize) -> Result<Type, BtfError> {
        Ok(Type {
            name: word(self.types, offset)?,
            info: word(self.types, offset + 4)?,
            size_or_id: word(self.types, offset + 8)?,
            rest: offset + 12,
        })
    }

    fn is_function_of_interest(&self, name: u32) -> bool {
        let name = self.strings_from(name);
        FUNCTIONS.iter().any(|start| name.starts_with(start))
    }

    /// The id of a function of `io_uring` or of a security hook, to attach a program to it.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.functions.get(name.as_bytes()).copied()
    }

    /// How many arguments a tracepoint of `io_uring` has; `None` if there is no such tracepoint.
    pub fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        let name = format!("btf_trace_{name}");
        let id = self.tracepoints.get(name.as_bytes())?;
        // A typedef of a pointer to a function whose first argument is not the tracepoint's.
        let pointer = self.by_id(self.by_id(*id)?.size_or_id)?;
        let function = self.by_id(pointer.size_or_id)?;
        (function.kind() == KIND_FUNC_PROTO).then(|| function.count().checked_sub(1))?
    }

    fn strings_from(&self, offset: u32) -> &'b [u8] {
        self.strings.get(offset as usize..).unwrap_or_default()
    }

    fn string(&self, offset: u32) -> &'b [u8] {
        let rest = self.strings_from(offset);
        &rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]
    }
}

fn word(bytes: &[u8], offset: usize) -> Result<u32, BtfError> {
    let chunk = bytes.get(offset..).and_then(<[u8]>::first_chunk::<4>);
    chunk
        .map(|chunk| u32::from_ne_bytes(*chunk))
        .ok_or(BtfError::Damaged(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BTF with: 1 int; 2 struct inner { int at 32 }; 3 anonymous union { 2 named `deep` };
    /// 4 struct outer { 1 `first`, 3 anonymous at bit 64 }; 5 enum `colour` { RED = 7 }.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0inner\0value\0deep\0outer\0first\0colour\0RED\0";
        let at = |name: &str| {
            let needle = [b"\0", name.as_bytes(), b"\0"].concat();
            let found = strings
                .windows(needle.len())
                .position(|w| w == needle)
                .unwrap();
            u32::try_from(found + 1).unwrap()
        };
        let info = |kind: u32, count: u32| (kind << 24) | count;
        let words = [
            vec![at("int"), info(KIND_INT, 0), 4, 32],
            vec![at("inner"), info(KIND_STRUCT, 1), 8, at("value"), 1, 32],
            vec![0, info(KIND_UNION, 1), 8, at("deep"), 2, 0],
            vec![
                at("outer"),
                info(KIND_STRUCT, 2),
                16,
                at("first"),
                1,
                0,
                0,
                3,
                64,
            ],
            vec![at("colour"), info(KIND_ENUM, 1), 4, at("RED"), 7],
        ]
        .concat();
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        let lengths = [24, 0, types.len(), types.len(), strings.len()];
        bytes.extend(
            lengths
                .iter()
                .flat_map(|n| u32::try_from(*n).unwrap().to_ne_bytes()),
        );
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn members_are_found_through_anonymous_and_nested_structures() {
        let bytes = sample();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.offset_of("outer", "first"), Some(0));
        assert_eq!(btf.offset_of("outer", "deep"), Some(8));
        assert_eq!(btf.offset_of("outer", "deep.value"), Some(12));
        assert_eq!(btf.offset_of("outer", "missing"), None);
        assert_eq!(btf.offset_of("missing", "first"), None);
        assert_eq!(btf.size_of("outer"), Some(16));
        assert_eq!(btf.enum_value("colour", "RED"), Some(7));
        assert_eq!(btf.enum_value("colour", "BLUE"), None);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        let bytes = sample();
        for end in 0..bytes.len() {
            let _outcome = Btf::parse(&bytes[..end]);
        }
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0xff;
            if let Ok(btf) = Btf::parse(&damaged) {
                btf.offset_of("outer", "deep.value");
                btf.enum_value("colour", "RED");
            }
        }
        assert_eq!(Btf::parse(b"ELF").unwrap_err(), BtfError::NotBtf);
    }
}
