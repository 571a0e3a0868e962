//! Functions: what is called, and what it returned.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use proto::time::Clock;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::config::Callee;
use crate::object_lambda::config::Config;
use crate::object_lambda::function::http::HttpFunction;
use crate::object_lambda::waiting::FunctionAnswer;

pub mod command;
pub mod http;

/// The functions of a configuration, by their ARNs.
pub struct Functions(HashMap<String, Function>);

/// A function.
#[derive(Clone)]
pub enum Function {
    /// Called by HTTP. It reads the object itself.
    Http(Arc<HttpFunction>),
    /// A program and its arguments, which reads the object from its standard input.
    Command(Arc<[String]>),
}

/// What the call of a function by HTTP returned.
pub enum Returned {
    /// The result, which only HeadObject and the listings look at.
    Result(Bytes),
    /// The transformed object, with the headers of WriteGetObjectResponse.
    Answer(FunctionAnswer),
}

impl Functions {
    /// Those that are configured.
    ///
    /// # Errors
    ///
    /// Why they cannot be called.
    pub fn new(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let functions = config.functions.iter().map(|it| {
            let function = match &it.function {
                Callee::Command(words) => Function::Command(words.as_slice().into()),
                Callee::Url(url) => {
                    Function::Http(Arc::new(HttpFunction::by_url(url, Arc::clone(clock))?))
                }
                Callee::Lambda(lambda) => Function::Http(Arc::new(HttpFunction::of_lambda(
                    lambda,
                    &it.arn,
                    Arc::clone(clock),
                )?)),
            };
            Ok((it.arn.clone(), function))
        });
        functions.collect::<Result<_, _>>().map(Self)
    }

    /// The function with this ARN.
    ///
    /// # Errors
    ///
    /// `LambdaNotFound`.
    pub fn find(&self, arn: &str) -> Result<Function, S3Error> {
        let found = self.0.get(arn).cloned();
        found.ok_or_else(|| {
            tracing::warn!(arn, "object_lambda.functions has no function of this ARN");
            S3Code::LambdaNotFound.into()
        })
    }
}
