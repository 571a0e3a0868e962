//! The protocols that both services share.
//!
//! A thing belongs here when two parties must agree on its bytes or its verdict: the signature that
//! a client computes and a server checks, the ARN that one service writes and the other compares,
//! the policy that both must evaluate the same way. Nothing here does I/O, except that [`time`]
//! reads a clock, [`listen`] resolves names and binds ports, [`connection`] ends connections, [`iam`] and
//! [`mfa`] read and write the files of users that both services share, [`renewal`], [`service_secret`] and [`process`]
//! read files, and [`audit`] writes events.
//!
//! The modules, from top to bottom; a module names only modules below it:
//!
//! | module | what it is |
//! |---|---|
//! | [`kms`] | the contract between the two services, as gRPC and as AWS JSON |
//! | [`aws_json`] | AWS's encoding of values that JSON has no type for |
//! | [`audit`] | what requests did, as CloudTrail records it |
//! | [`iam`] | users and roles, and who a request comes from |
//! | [`session`] | session tokens of STS: to make one and to check one |
//! | [`mfa`] | MFA devices, their codes, and that a code is accepted once |
//! | [`admin_token`] | the bearer token of admin ports: whether a request presents it |
//! | [`pages`] | which requests of an admin port are for pages, and the form they are passed on in |
//! | [`policy`] | the IAM policy language and its one evaluator |
//! | [`sigv2`] | AWS Signature Version 2: to check a request |
//! | [`sigv4`] | AWS Signature Version 4: to check a request and to sign one |
//! | [`token`] | bearer tokens of users, for gRPC: to make one and to check one |
//! | [`arn`] | Amazon Resource Names |
//! | [`certificate`] | when a certificate ends |
//! | [`connection`] | HTTP/1.1 connections whose requests are answered before their bodies were read |
//! | [`hosts`] | which host names a server on loopback answers to |
//! | [`listen`] | addresses to listen on, in configuration files |
//! | [`service_secret`] | the file with the secret by which services prove themselves to the KMS |
//! | [`identity`] | accounts, Regions, principals, and the secrets that prove them |
//! | [`ledger`] | exact counts since marks, in bounded memory |
//! | [`process`] | what the operating system knows of this process, as metrics |
//! | [`renewal`] | values made of files that are replaced while a service runs |
//! | [`trace`] | spans of requests, and the W3C trace context |
//! | [`time`] | the one type of time, its wire forms, and the clock that is passed in |

pub mod kms;

pub mod aws_json;

pub mod audit;

pub mod iam;

pub mod session;

pub mod mfa;

pub mod admin_token;

pub mod pages;

pub mod policy;

pub mod sigv2;

pub mod sigv4;

pub mod token;

pub mod arn;

pub mod certificate;

pub mod connection;

pub mod hosts;

pub mod listen;

pub mod service_secret;

pub mod identity;

pub mod ledger;

pub mod process;

pub mod renewal;

pub mod trace;

pub mod time;
