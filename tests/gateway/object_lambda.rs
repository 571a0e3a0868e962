//! Object Lambda: reads that functions transform, and what functions may do.

use std::sync::Arc;

use gateway::object_lambda::config::Callee;
use gateway::object_lambda::config::Function;
use http::Method;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::mfa::MfaFile;
use proto::session::SessionKey;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::signed::Draft;
use tests::world::World;

use crate::access_points::Answer;
use crate::access_points::control;
use crate::access_points::creation;
use crate::object_lambda::server::FunctionServer;

mod commands;
mod control;
mod functions;
mod listings;
mod rights;
mod server;

const BUCKET: &str = "data";
const POINT: &str = "my-ap";
const NAME: &str = "my-olap";
const OLAP_ARN: &str = "arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/my-olap";
const POINT_ARN: &str = "arn:aws:s3:us-east-1:123456789012:accesspoint/my-ap";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

/// Where functions are said to reach the gateway; in tests they connect elsewhere.
const PUBLIC_HOST: &str = "gateway.test:9070";

/// A gateway with an Object Lambda access point.
struct Lambda {
    world: World,
    /// A user of the account by whose policies only Object Lambda may be used.
    caller: Access,
    /// A user of another account who may do everything by its policies.
    outsider: Access,
    _folder: tempfile::TempDir,
}

impl Lambda {
    /// With a function that is this command.
    async fn of_command(words: &[&str], configuration: &str) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let lambda = Self::start(Callee::Command(words), 60_000).await;
        lambda.create(configuration).await;
        lambda
    }

    /// With a function that this server does.
    async fn of_server(server: &FunctionServer, configuration: &str) -> Self {
        let lambda = Self::start(Callee::Url(server.url()), 60_000).await;
        server.reaches(&lambda.world);
        lambda.create(configuration).await;
        lambda
    }

    async fn start(function: Callee, timeout_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MfaFile::new(&folder.path().join("mfa.json")));
        let user = |name: &str, account: &str, actions: &str| {
            let policy = format!(
                r#"{{"Statement": [{{"Effect": "Allow", "Action": {actions}, "Resource": "*"}}]}}"#
            );
            format!(
                "[[user]]\nname = '{name}'\naccess_key_id = 'KEYOF{}'\nsecret_access_key = 'secret-of-{name}'\n\
                 account = '{account}'\npolicies = ['''{policy}''']\n",
                name.to_uppercase()
            )
        };
        let of_lambda = r#"["s3-object-lambda:*", "lambda:InvokeFunction"]"#;
        let file = [
            user("caller", MAIN_ACCOUNT, of_lambda),
            user("outsider", ALT_ACCOUNT, r#""*""#),
        ]
        .concat();
        let principals = Principals::parse(&file).unwrap();
        let iam = Iam::in_memory(principals, SessionKey::random().unwrap(), memory);
        let setup = World::setup().iam(Arc::new(iam)).gateway(move |config| {
            config.object_lambda.public_url = Some(format!("http://{PUBLIC_HOST}"));
            config.object_lambda.timeout_ms = timeout_ms;
            config.object_lambda.functions = vec![Function {
                arn: FUNCTION.to_owned(),
                function,
            }];
        });
        let lambda = Self {
            world: setup.start().await,
            caller: Access::new("KEYOFCALLER", "secret-of-caller"),
            outsider: Access::new("KEYOFOUTSIDER", "secret-of-outsider"),
            _folder: folder,
        };
        lambda.world.create_bucket(BUCKET).await;
        let created = lambda.send(creation(POINT, BUCKET, "")).await;
        assert_eq!(created.outcome(), (200, ""), "{}", created.text);
        lambda
    }

    /// Creates the Object Lambda access point; its alias.
    async fn create(&self, configuration: &str) -> String {
        let created = self.send(creation_of_lambda(NAME, configuration)).await;
        assert_eq!(created.outcome(), (200, ""), "{}", created.text);
        created.element("Value").to_owned()
    }

    /// Sends as the main account, by the path.
    async fn send(&self, draft: Draft) -> Answer {
        let signed = draft.sign(&self.world.main, self.world.now(), &self.world.host());
        Answer::new(signed.send(&self.world.target()).await.unwrap())
    }

    /// Sends through the Object Lambda access point, by its host.
    async fn send_through(&self, access: &Access, draft: Draft) -> Answer {
        let host = self.world.host();
        let (_, port) = host.rsplit_once(':').unwrap();
        let host = format!("{NAME}-{MAIN_ACCOUNT}.localhost:{port}");
        let signed = draft.sign_for(access, self.world.now(), &host, "s3-object-lambda");
        Answer::new(signed.send(&self.world.target()).await.unwrap())
    }

    /// Reads an object through it, as the main account.
    async fn get(&self, key: &str) -> Answer {
        let get = Draft::raw(Method::GET, &format!("/{key}"));
        self.send_through(&self.world.main, get).await
    }

    async fn put(&self, key: &str, body: &'static str) {
        let put = Draft::new(Method::PUT, BUCKET, key).body(body);
        assert_eq!(self.send(put).await.status, 200);
    }
}

/// CreateAccessPointForObjectLambda.
fn creation_of_lambda(name: &str, configuration: &str) -> Draft {
    let path = format!("accesspointforobjectlambda/{name}");
    control(Method::PUT, &path).body(format!(
        "<CreateAccessPointForObjectLambdaRequest xmlns='http://awss3control.amazonaws.com/doc/2018-08-20/'>\
         <Configuration>{configuration}</Configuration></CreateAccessPointForObjectLambdaRequest>"
    ))
}

/// A configuration by which the function transforms these reads.
fn transforming(actions: &[&str], features: &[&str]) -> String {
    let all = |name: &str, values: &[&str]| {
        let values = values.iter().map(|it| format!("<{name}>{it}</{name}>"));
        values.collect::<String>()
    };
    format!(
        "<SupportingAccessPoint>{POINT_ARN}</SupportingAccessPoint>\
         <AllowedFeatures>{}</AllowedFeatures><TransformationConfigurations><TransformationConfiguration>\
         <Actions>{}</Actions><ContentTransformation><AwsLambda><FunctionArn>{FUNCTION}</FunctionArn>\
         <FunctionPayload>the payload</FunctionPayload></AwsLambda></ContentTransformation>\
         </TransformationConfiguration></TransformationConfigurations>",
        all("AllowedFeature", features),
        all("Action", actions)
    )
}
