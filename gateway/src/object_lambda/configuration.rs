//! The configuration of an Object Lambda access point: the access point behind it, and which function transforms
//! which reads.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ObjectLambdaConfiguration.html>

use proto::arn::Arn;
use serde::Deserialize;
use serde::Serialize;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::config::is_function_arn;
use crate::protocol::xml::Element;
use crate::route::Operation;

/// The configuration of an Object Lambda access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The ARN of the access point behind it.
    pub supporting: String,
    /// Whether metrics go to CloudWatch, which is stored and means nothing here.
    pub metrics: bool,
    /// Reads of a part of an object that functions can answer.
    pub features: Vec<Feature>,
    /// Which function transforms what.
    pub transformations: Vec<Transformation>,
}

/// An access point, as its ARN names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportingAccessPoint {
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
}

impl SupportingAccessPoint {
    /// Reads `arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME`.
    #[must_use]
    pub fn parse(arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn).ok().filter(|arn| arn.service == "s3")?;
        let name = arn.resource.strip_prefix("accesspoint")?;
        let name = name.strip_prefix(['/', ':'])?;
        (!name.is_empty() && !name.contains('/')).then(|| Self {
            name: name.to_owned(),
            region: arn.region,
            account: arn.account,
        })
    }
}

/// A read of a part of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// GetObject with a range.
    GetObjectRange,
    /// GetObject with a part's number.
    GetObjectPartNumber,
    /// HeadObject with a range.
    HeadObjectRange,
    /// HeadObject with a part's number.
    HeadObjectPartNumber,
}

/// A read that a function can transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// GetObject.
    GetObject,
    /// HeadObject.
    HeadObject,
    /// ListObjects.
    ListObjects,
    /// ListObjectsV2.
    ListObjectsV2,
}

/// Which function transforms which reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transformation {
    /// The reads.
    pub actions: Vec<Action>,
    /// The ARN of the function.
    pub function: String,
    /// What the event has in `configuration.payload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

impl Configuration {
    /// Reads the element `Configuration`.
    ///
    /// # Errors
    ///
    /// `MalformedXML`; `InvalidRequest` for a function that is not named by the ARN of one, and for a read that
    /// two transformations name.
    pub fn from_element(element: &Element) -> Result<Self, S3Error> {
        let malformed = || S3Error::new(S3Code::MalformedXml);
        check_children(element, &CHILDREN)?;
        let supporting = text(element, "SupportingAccessPoint").ok_or_else(malformed)?;
        if SupportingAccessPoint::parse(supporting).is_none() {
            return Err(S3Error::invalid_request(NO_ACCESS_POINT));
        }
        let metrics = match text(element, "CloudWatchMetricsEnabled") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(malformed()),
        };
        let features = element
            .child("AllowedFeatures")
            .map_or(&[][..], Element::children);
        let features = features.iter().map(|it| {
            let feature = FEATURES.iter().find(|(_, name)| it.text().trim() == *name);
            feature.map(|(feature, _)| *feature).ok_or_else(malformed)
        });
        let transformations = element.child("TransformationConfigurations");
        let transformations = transformations.ok_or_else(malformed)?.children().iter();
        let transformations: Vec<_> = transformations
            .map(Transformation::from_element)
            .collect::<Result<_, _>>()?;
        let mut actions = Vec::new();
        for action in transformations.iter().flat_map(|it| &it.actions) {
            if actions.contains(&action) {
                // AWS's own answer to this is not recorded.
                return Err(S3Error::invalid_request(TWICE));
            }
            actions.push(action);
        }
        if actions.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            supporting: supporting.to_owned(),
            metrics,
            features: features.collect::<Result<_, _>>()?,
            transformations,
        })
    }

    /// Adds it to an element.
    #[must_use]
    pub fn write(&self, element: Element) -> Element {
        let features = self.features.iter().filter_map(|feature| {
            let name = FEATURES.iter().find(|(it, _)| it == feature)?.1;
            Some(Element::with_text("AllowedFeature", name))
        });
        let features = Element::new("AllowedFeatures").with_all(features);
        let transformations = self.transformations.iter().map(Transformation::to_element);
        element
            .field("SupportingAccessPoint", &self.supporting)
            .field("CloudWatchMetricsEnabled", self.metrics.to_string())
            .with(features)
            .with(Element::new("TransformationConfigurations").with_all(transformations))
    }

    /// The transformation of a read.
    #[must_use]
    pub fn transformation(&self, operation: Operation) -> Option<&Transformation> {
        let action = Action::of(operation)?;
        self.transformations
            .iter()
            .find(|it| it.actions.contains(&action))
    }

    /// Whether functions can answer reads of a part of an object.
    #[must_use]
    pub fn allows(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }
}

impl Action {
    /// That of an operation, if functions can transform it.
    #[must_use]
    pub fn of(operation: Operation) -> Option<Self> {
        match operation {
            Operation::GetObject => Some(Self::GetObject),
            Operation::HeadObject => Some(Self::HeadObject),
            Operation::ListObjects => Some(Self::ListObjects),
            Operation::ListObjectsV2 => Some(Self::ListObjectsV2),
            _ => None,
        }
    }
}

impl Transformation {
    fn from_element(element: &Element) -> Result<Self, S3Error> {
        let malformed = || S3Error::new(S3Code::MalformedXml);
        check_children(element, &["Actions", "ContentTransformation"])?;
        let actions = element.child("Actions").ok_or_else(malformed)?.children();
        let actions = actions.iter().map(|it| {
            let action = ACTIONS.iter().find(|(_, name)| it.text().trim() == *name);
            action.map(|(action, _)| *action).ok_or_else(malformed)
        });
        let lambda = element.child("ContentTransformation");
        let lambda = lambda.and_then(|it| it.child("AwsLambda"));
        let lambda = lambda.ok_or_else(malformed)?;
        check_children(lambda, &["FunctionArn", "FunctionPayload"])?;
        let function = text(lambda, "FunctionArn").ok_or_else(malformed)?;
        if !is_function_arn(function) {
            return Err(S3Error::invalid_request(NO_FUNCTION));
        }
        Ok(Self {
            actions: actions.collect::<Result<_, _>>()?,
            function: function.to_owned(),
            payload: lambda.text_of("FunctionPayload").map(str::to_owned),
        })
    }

    fn to_element(&self) -> Element {
        let actions = self.actions.iter().filter_map(|action| {
            let name = ACTIONS.iter().find(|(it, _)| it == action)?.1;
            Some(Element::with_text("Action", name))
        });
        let payload = self.payload.as_ref();
        let lambda = Element::new("AwsLambda")
            .field("FunctionArn", &self.function)
            .with_all(payload.map(|payload| Element::with_text("FunctionPayload", payload)));
        Element::new("TransformationConfiguration")
            .with(Element::new("Actions").with_all(actions))
            .with(Element::new("ContentTransformation").with(lambda))
    }
}

/// Refuses an element with children of other names, or several of one.
fn check_children(element: &Element, names: &[&str]) -> Result<(), S3Error> {
    for child in element.children() {
        if !names.contains(&child.name()) || element.all(child.name()).count() > 1 {
            return Err(S3Code::MalformedXml.into());
        }
    }
    Ok(())
}

fn text<'a>(element: &'a Element, name: &str) -> Option<&'a str> {
    let text = element.text_of(name).map(str::trim);
    text.filter(|text| !text.is_empty())
}

const CHILDREN: [&str; 4] = [
    "AllowedFeatures",
    "CloudWatchMetricsEnabled",
    "SupportingAccessPoint",
    "TransformationConfigurations",
];

const FEATURES: [(Feature, &str); 4] = [
    (Feature::GetObjectRange, "GetObject-Range"),
    (Feature::GetObjectPartNumber, "GetObject-PartNumber"),
    (Feature::HeadObjectRange, "HeadObject-Range"),
    (Feature::HeadObjectPartNumber, "HeadObject-PartNumber"),
];

const ACTIONS: [(Action, &str); 4] = [
    (Action::GetObject, "GetObject"),
    (Action::HeadObject, "HeadObject"),
    (Action::ListObjects, "ListObjects"),
    (Action::ListObjectsV2, "ListObjectsV2"),
];

const NO_ACCESS_POINT: &str = "The SupportingAccessPoint is not the ARN of an access point.";
const NO_FUNCTION: &str = "The FunctionArn is not the ARN of a Lambda function.";
const TWICE: &str = "Two transformation configurations have the same action.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::document;

    const POINT: &str = "arn:aws:s3:us-east-1:111122223333:accesspoint/my-ap";
    const FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:redact";

    fn transformation(actions: &str) -> String {
        format!(
            "<TransformationConfiguration><Actions>{actions}</Actions><ContentTransformation><AwsLambda>\
             <FunctionArn>{FUNCTION}</FunctionArn><FunctionPayload>{{}}</FunctionPayload></AwsLambda>\
             </ContentTransformation></TransformationConfiguration>"
        )
    }

    fn read(more: &str, transformations: &str) -> Result<Configuration, S3Error> {
        let text = format!(
            "<Configuration><SupportingAccessPoint>{POINT}</SupportingAccessPoint>{more}\
             <TransformationConfigurations>{transformations}</TransformationConfigurations></Configuration>"
        );
        Configuration::from_element(&document::parse(text.as_bytes())?)
    }

    #[test]
    fn what_is_written_is_read() {
        let more = "<CloudWatchMetricsEnabled>true</CloudWatchMetricsEnabled>\
            <AllowedFeatures><AllowedFeature>GetObject-Range</AllowedFeature></AllowedFeatures>";
        let get = transformation("<Action>GetObject</Action><Action>HeadObject</Action>");
        let configuration = read(more, &get).unwrap();
        assert!(configuration.metrics && configuration.allows(Feature::GetObjectRange));
        assert!(!configuration.allows(Feature::HeadObjectRange));
        let written = configuration.write(Element::new("Configuration"));
        assert_eq!(
            Configuration::from_element(&written).unwrap(),
            configuration
        );
        let found = configuration.transformation(Operation::HeadObject).unwrap();
        assert_eq!(found.function, FUNCTION);
        assert_eq!(found.payload.as_deref(), Some("{}"));
        for operation in [Operation::ListObjects, Operation::PutObject] {
            assert!(configuration.transformation(operation).is_none());
        }
    }

    #[test]
    fn a_configuration_that_cannot_be_is_refused() {
        let get = transformation("<Action>GetObject</Action>");
        let code = |more: &str, transformations: &str| {
            let refused = read(more, transformations).map_err(|error| error.code());
            refused.unwrap_err()
        };
        for (more, transformations) in [
            ("", String::new()),
            ("", transformation("")),
            ("", transformation("<Action>PutObject</Action>")),
            ("<Extra/>", get.clone()),
            (
                "<CloudWatchMetricsEnabled>yes</CloudWatchMetricsEnabled>",
                get.clone(),
            ),
            (
                "<AllowedFeatures><AllowedFeature>x</AllowedFeature></AllowedFeatures>",
                get.clone(),
            ),
            ("", get.replace("FunctionArn", "Function")),
        ] {
            assert_eq!(
                code(more, &transformations),
                S3Code::MalformedXml,
                "{more}{transformations}"
            );
        }
        for transformations in [format!("{get}{get}"), get.replace(FUNCTION, "redact")] {
            assert_eq!(
                code("", &transformations),
                S3Code::InvalidRequest,
                "{transformations}"
            );
        }
    }
}
