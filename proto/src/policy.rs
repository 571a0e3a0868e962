//! The IAM policy language: key policies, bucket policies and access-point policies are one grammar,
//! and this is its one evaluator.
//!
//! [`Policy::parse`] reads a document or reports precisely what is wrong with it; a [`Policy`] that
//! exists is one that can be evaluated. [`evaluate`] is pure: everything that it may look at in a
//! request is in the [`Request`]. Requests that do more than one thing use [`Policy::for_request`] once
//! and [`Prepared::decide`] for each. The caller joins the answers of several policies with
//! [`Decision::or`] and [`Decision::and`].
//!
//! No policy and no request makes an evaluation slow: matching is linear, and what remains is bounded.
//! Where a bound is reached, a statement that denies counts as matching and one that allows does not.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

mod prepared;
mod public;

mod document;

mod statement;

mod scope;

mod condition;

mod operator;

mod pattern;

mod glob;

mod budget;

mod value;

mod request;

mod principal;

mod decision;

mod fault;

mod json;

#[cfg(test)]
mod tests;

pub use decision::Decision;
pub use document::Policy;
pub use fault::PolicyError;
pub use fault::PolicyFault;
pub use prepared::Prepared;
pub use prepared::Verdict;
pub use prepared::evaluate;
pub use principal::Principal;
pub use principal::PrincipalMatch;
pub use request::Context;
pub use request::Request;
pub use scope::ActionPattern;
pub use statement::Effect;
pub use statement::PolicyKind;
pub use statement::Statement;
