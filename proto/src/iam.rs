//! IAM: users and roles, their policies and MFA devices, and who a request comes from.
//!
//! Both services read one file of them, the credentials file, whose form is at [`Principals`]. Beside it are
//! the key of session tokens (`session.key`) and the memory of used MFA codes (`mfa.json`), so that services
//! that name the same file accept the same sessions, and an MFA code once between them.
//!
//! A request is judged for an [`Identity`]: who makes it, with which policies, in which session.
//! [`Identity::for_request`] joins its policies with what the policy of a bucket, key or role decides.

mod identity;
mod name;
mod principals;
mod rights;
mod store;

pub use crate::iam::identity::Identity;
pub use crate::iam::name::check_user_name;
pub use crate::iam::principals::Principals;
pub use crate::iam::principals::PrincipalsError;
pub use crate::iam::principals::Role;
pub use crate::iam::principals::User;
pub use crate::iam::rights::Delegation;
pub use crate::iam::rights::Rights;
pub use crate::iam::store::Iam;
pub use crate::iam::store::IamError;
