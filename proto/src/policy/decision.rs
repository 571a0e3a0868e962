//! What policies decide of a request, alone and together.

/// What a policy decides of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    Deny,
    /// No statement matches it.
    NoMatch,
}

impl Decision {
    /// What two policies decide of which either may allow: an identity's and a resource's within one
    /// account. A denial outweighs all.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Allow, _) | (_, Self::Allow) => Self::Allow,
            (Self::NoMatch, Self::NoMatch) => Self::NoMatch,
        }
    }

    /// What two policies decide of which both must allow: an identity's and its session's, or those of
    /// two accounts. A denial outweighs all, and a policy that only denies never allows.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Allow, Self::Allow) => Self::Allow,
            (Self::NoMatch, _) | (_, Self::NoMatch) => Self::NoMatch,
        }
    }
}
