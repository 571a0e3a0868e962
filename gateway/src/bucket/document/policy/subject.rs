//! What a policy is attached to, and whether its statements can apply there.
//!
//! S3 refuses a statement that can never apply: whoever wrote it believes that it permits or denies something. A
//! statement with `NotAction` or `NotResource` names what it leaves out, so that part of it is not checked.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>; for the texts,
//! <https://github.com/versity/versitygw/issues/645>.

use proto::policy::ActionPattern;
use proto::policy::Statement;

use crate::bucket::document::policy::actions;
use crate::bucket::document::policy::actions::Group;
use crate::bucket::document::policy::actions::Kind;
use crate::error::S3Code;
use crate::error::S3Error;

/// What a policy is attached to, by its ARN.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// A bucket.
    Bucket(&'a str),
    /// An access point.
    AccessPoint(&'a str),
    /// An Object Lambda access point. Its objects have no ARNs.
    ObjectLambda(&'a str),
}

/// What of a subject the resources of a statement can mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reach {
    /// The subject itself.
    itself: bool,
    /// Objects in it.
    objects: bool,
}

impl Subject<'_> {
    /// Whether a statement can apply.
    ///
    /// # Errors
    ///
    /// `MalformedPolicy` for an action or condition key that is not there, for a resource that is not the subject's,
    /// and for actions or conditions that no resource of the statement has.
    pub(crate) fn check(self, statement: &Statement) -> Result<(), S3Error> {
        let named: Vec<_> = statement
            .action_patterns()
            .map(|pattern| self.groups(pattern))
            .collect();
        if named.iter().any(Vec::is_empty) {
            return Err(malformed("Policy has invalid action"));
        }
        let reach = self.reach(statement)?;
        let applies = |group: &&Group| self.has(group.kind, reach);
        if named.iter().any(|groups| !groups.iter().any(applies)) {
            return Err(malformed(
                "Action does not apply to any resource(s) in statement",
            ));
        }
        for key in statement
            .condition_keys()
            .filter(|it| it.starts_with("s3:"))
        {
            if !actions::is_key(key) {
                return Err(malformed("Policy has an invalid condition key"));
            }
            let mut applying = named.iter().flatten().copied().filter(applies);
            if self.checks_keys() && !named.is_empty() && !applying.any(|it| it.has_key(key)) {
                return Err(malformed(
                    "Conditions do not apply to combination of actions and resources in statement",
                ));
            }
        }
        Ok(())
    }

    /// The actions that a value of the element `Action` names.
    fn groups(self, pattern: ActionPattern<'_>) -> Vec<&'static Group> {
        let (service, groups) = match self {
            Self::Bucket(_) | Self::AccessPoint(_) => ("s3:", actions::S3),
            Self::ObjectLambda(_) => ("s3-object-lambda:", actions::OBJECT_LAMBDA),
        };
        let text = pattern.text().to_ascii_lowercase();
        if text != "*" && !text.starts_with(service) {
            return Vec::new();
        }
        let is_named = |name: &str| pattern.names(&format!("{service}{name}").to_ascii_lowercase());
        let groups = groups.iter();
        groups.filter(|group| group.names().any(is_named)).collect()
    }

    /// What the resources of a statement can mean.
    fn reach(self, statement: &Statement) -> Result<Reach, S3Error> {
        let (Self::Bucket(arn) | Self::AccessPoint(arn) | Self::ObjectLambda(arn)) = self;
        let objects = match self {
            Self::AccessPoint(_) => format!("{arn}/object/"),
            Self::Bucket(_) | Self::ObjectLambda(_) => format!("{arn}/"),
        };
        let mut reach = Reach::default();
        let mut resources = statement.resources().peekable();
        if resources.peek().is_none() {
            // `NotResource`.
            return Ok(Reach {
                itself: true,
                objects: true,
            });
        }
        for pattern in resources {
            let of_pattern = Reach {
                itself: pattern == arn || may_begin(pattern, arn),
                objects: pattern.starts_with(&objects) || may_begin(pattern, &objects),
            };
            if of_pattern == Reach::default() {
                return Err(malformed("Policy has invalid resource"));
            }
            reach.itself |= of_pattern.itself;
            reach.objects |= of_pattern.objects;
        }
        Ok(reach)
    }

    /// Whether actions of a kind are done on something within the reach of a statement.
    const fn has(self, kind: Kind, reach: Reach) -> bool {
        match (self, kind) {
            (Self::ObjectLambda(_), _) => true,
            (_, Kind::Bucket) | (Self::AccessPoint(_), Kind::AccessPoint) => reach.itself,
            (_, Kind::Object) => reach.objects,
            (Self::Bucket(_), Kind::AccessPoint) | (_, Kind::Elsewhere) => false,
        }
    }

    /// Whether it is known which condition keys its actions have.
    const fn checks_keys(self) -> bool {
        !matches!(self, Self::ObjectLambda(_))
    }
}

/// Whether what is before the first wildcard or variable of a pattern begins the text.
fn may_begin(pattern: &str, text: &str) -> bool {
    let literal = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    literal.len() < pattern.len() && text.starts_with(literal)
}

/// What S3 answers about a policy that it does not take.
pub(super) fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(S3Code::MalformedPolicy, message)
}
