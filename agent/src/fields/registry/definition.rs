//! What the registry says about a field.

/// The type of a field's value (of each element, if the field is a list). It decides which
/// operators and literals a rule may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// A signed number.
    Int,
    /// An unsigned number.
    Uint,
    /// A floating point number.
    Double,
    /// Truth.
    Bool,
    /// Text or a path.
    Text,
    /// Raw bytes.
    Buffer,
    /// A port number; a rule may write a service name.
    Port,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An address that rules compare with networks in CIDR form.
    Net,
    /// A length of time in ns.
    RelTime,
    /// A time in ns since the epoch.
    AbsTime,
}

impl FieldType {
    /// The name that listings and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Bool => "bool",
            Self::Text => "string",
            Self::Buffer => "bytes",
            Self::Port => "port",
            Self::Ip => "ip address",
            Self::Net => "ip network",
            Self::RelTime => "duration (ns)",
            Self::AbsTime => "time (ns)",
        }
    }
}

/// Whether a field wants an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgumentRule {
    /// It takes none.
    None,
    /// With or without.
    Optional,
    /// It means nothing without.
    Required,
}

/// How a field's argument is written and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgumentSyntax {
    /// There is none.
    None,
    /// `[N]`, a number.
    Index,
    /// `[NAME]`, text even if it is all digits.
    Name,
    /// `[N]` or `[KEY]`.
    IndexOrKey,
    /// `[KEY]` or `.KEY`.
    Key,
    /// `.KEY` only.
    DottedKey,
    /// `.NAME` of an event's parameter, or its position `[N]`.
    Parameter,
    /// `.NAME` of an event's parameter.
    ParameterName,
    /// `.NAME` or `.NUMBER` of an event type.
    EventType,
    /// `.src` or `.dst`.
    Side,
}

impl ArgumentSyntax {
    /// Whether the argument may follow a dot.
    pub(super) fn dotted(self) -> bool {
        match self {
            Self::None | Self::Index | Self::Name | Self::IndexOrKey => false,
            Self::Key
            | Self::DottedKey
            | Self::Parameter
            | Self::ParameterName
            | Self::EventType
            | Self::Side => true,
        }
    }

    /// Whether the argument may stand in brackets.
    pub(super) fn bracketed(self) -> bool {
        match self {
            Self::Index | Self::Name | Self::IndexOrKey | Self::Key | Self::Parameter => true,
            Self::None | Self::DottedKey | Self::ParameterName | Self::EventType | Self::Side => {
                false
            }
        }
    }

    /// How to write it, for messages and listings.
    pub fn usage(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Index => "[NUMBER]",
            Self::Name => "[NAME]",
            Self::IndexOrKey => "[NUMBER] or [KEY]",
            Self::Key => "[KEY] or .KEY",
            Self::DottedKey => ".KEY",
            Self::Parameter => ".PARAMETER or [NUMBER]",
            Self::ParameterName => ".PARAMETER",
            Self::EventType => ".EVENT_NAME or .EVENT_NUMBER",
            Self::Side => ".src or .dst",
        }
    }
}

/// How a comparison looks at the field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// At the value.
    Normal,
    /// At the client's and the server's end: true if it holds for one, and for `!=` if for both.
    EitherEnd,
    /// Without an argument, at every ancestor: true if it holds for any. (`proc.aenv[NUMBER]` in
    /// a condition is also any ancestor, not that one.)
    AnyAncestor,
}

/// How a number prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrintFormat {
    /// `493`
    Decimal,
    /// `1ED`: upper case and no prefix, as Falco prints it.
    Hex,
    /// `755`
    Octal,
    /// Decimal with zeros in front, nine digits: the part of a time below the second. (Falco
    /// calls it "10 padded".)
    PaddedDecimal10,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a field, each read on its own"
)]
pub struct FieldDef {
    /// Its name without an argument. The user's constants are one field `static` whose argument
    /// is the key.
    pub name: &'static str,
    /// What it is about, to group listings: `evt`, `process`, `fd`, ...
    pub class: &'static str,
    /// The type of its value or elements.
    pub field_type: FieldType,
    /// Whether it wants an argument.
    pub argument: ArgumentRule,
    /// How the argument is written.
    pub syntax: ArgumentSyntax,
    /// Its value is a list: only `in`, `intersects` and `exists` apply.
    pub list: bool,
    /// How comparisons look at it.
    pub comparison: Comparison,
    /// How its numbers print.
    pub print: PrintFormat,
    /// It cannot be compared with another field, on either side.
    pub no_rhs: bool,
    /// Transformers do not apply.
    pub no_transformers: bool,
    /// Only for conditions: outputs cannot print it.
    pub filter_only: bool,
    /// Only for outputs: conditions cannot ask about it.
    pub print_only: bool,
    /// Understood for old rules; it tells nothing.
    pub deprecated: bool,
    /// Appended to outputs if the configuration asks for suggested fields.
    pub suggested: bool,
    /// What it is, in a phrase.
    pub help: &'static str,
}

impl FieldDef {
    /// A field without argument or peculiarities; the other constructors add to it.
    pub(super) const fn new(
        class: &'static str,
        name: &'static str,
        field_type: FieldType,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            class,
            field_type,
            argument: ArgumentRule::None,
            syntax: ArgumentSyntax::None,
            list: false,
            comparison: Comparison::Normal,
            print: PrintFormat::Decimal,
            no_rhs: false,
            no_transformers: false,
            filter_only: false,
            print_only: false,
            deprecated: false,
            suggested: false,
            help,
        }
    }

    pub(super) const fn optional(mut self, syntax: ArgumentSyntax) -> Self {
        self.argument = ArgumentRule::Optional;
        self.syntax = syntax;
        self
    }

    pub(super) const fn required(mut self, syntax: ArgumentSyntax) -> Self {
        self.argument = ArgumentRule::Required;
        self.syntax = syntax;
        self
    }

    pub(super) const fn printed(mut self, print: PrintFormat) -> Self {
        self.print = print;
        self
    }

    pub(super) const fn list(mut self) -> Self {
        self.list = true;
        self
    }

    pub(super) const fn either_end(mut self) -> Self {
        self.comparison = Comparison::EitherEnd;
        self
    }

    pub(super) const fn any_ancestor(mut self) -> Self {
        self.comparison = Comparison::AnyAncestor;
        self
    }

    pub(super) const fn no_rhs(mut self) -> Self {
        self.no_rhs = true;
        self
    }

    pub(super) const fn no_transformers(mut self) -> Self {
        self.no_transformers = true;
        self
    }

    pub(super) const fn filter_only(mut self) -> Self {
        self.filter_only = true;
        self
    }

    pub(super) const fn print_only(mut self) -> Self {
        self.print_only = true;
        self
    }

    pub(super) const fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    pub(super) const fn suggested(mut self) -> Self {
        self.suggested = true;
        self
    }
}
