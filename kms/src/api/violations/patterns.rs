//! The forms of texts that the service model gives as regular expressions.

/// A form of text: the expression that errors show, and the check.
pub(crate) struct TextPattern {
    pub(crate) shown: &'static str,
    pub(crate) matches: fn(&str) -> bool,
}

/// Whether `text` has at least one character and each is a letter, digit or one of `others`.
fn word(text: &str, others: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) const POLICY: TextPattern = TextPattern {
    shown: "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
    matches: |text| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
    },
};
pub(crate) const XKS_KEY_ID: TextPattern = TextPattern {
    shown: "^[a-zA-Z0-9-_.]+$",
    matches: |text| word(text, "-_."),
};
pub(crate) const MARKER: TextPattern = TextPattern {
    shown: "[\\u0020-\\u00FF]*",
    matches: |text| text.chars().all(|c| matches!(c, '\u{20}'..='\u{ff}')),
};
pub(crate) const NAME: TextPattern = TextPattern {
    shown: "^[a-zA-Z0-9:/_-]+$",
    matches: |text| word(text, ":/_-"),
};
pub(crate) const POLICY_NAME: TextPattern = TextPattern {
    shown: "[\\w]+",
    matches: |text| word(text, "_"),
};
pub(crate) const PRINCIPAL: TextPattern = TextPattern {
    shown: "^[\\w+=,.@:/-]+$",
    matches: |text| word(text, "_+=,.@:/-"),
};
pub(crate) const SERVICE: TextPattern = TextPattern {
    shown: "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$",
    matches: |text| text.split('.').count() >= 3 && text.split('.').all(|label| word(label, "-")),
};
pub(crate) const MATERIAL_DESCRIPTION: TextPattern = TextPattern {
    shown: "^[a-zA-Z0-9:/_\\s.-]+$",
    matches: |text| word(text, ":/_.- \t\n\r\u{b}\u{c}"),
};
pub(crate) const HEX: TextPattern = TextPattern {
    shown: "^[a-f0-9]+$",
    matches: |text| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'))
    },
};
pub(crate) const REGION: TextPattern = TextPattern {
    shown: "^([a-z]+-){2,3}\\d+$",
    matches: |text| {
        let Some((words, number)) = text.rsplit_once('-') else {
            return false;
        };
        let lower = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        matches!(words.split('-').count(), 2 | 3) && words.split('-').all(lower) && digits(number)
    },
};
pub(crate) const CLUSTER_ID: TextPattern = TextPattern {
    shown: "cluster-[2-7a-zA-Z]{11,16}",
    matches: |text| {
        text.strip_prefix("cluster-").is_some_and(|rest| {
            (11..=16).contains(&rest.len())
                && rest
                    .bytes()
                    .all(|b| matches!(b, b'2'..=b'7' | b'a'..=b'z' | b'A'..=b'Z'))
        })
    },
};
pub(crate) const HTTPS: TextPattern = TextPattern {
    shown: "^https://[a-zA-Z0-9.-]+$",
    matches: |text| {
        text.strip_prefix("https://")
            .is_some_and(|host| word(host, ".-"))
    },
};
pub(crate) const XKS_PATH: TextPattern = TextPattern {
    shown: "^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$",
    matches: |text| {
        let Some((prefix, version)) = text.rsplit_once("/kms/xks/v") else {
            return false;
        };
        let prefixed = prefix.is_empty()
            || prefix
                .strip_prefix('/')
                .is_some_and(|rest| word(rest, "/_-"));
        prefixed && version.len() <= 2 && digits(version)
    },
};
pub(crate) const VPC_ENDPOINT: TextPattern = TextPattern {
    shown: "^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$",
    matches: |text| {
        let rest = text
            .strip_prefix("com.")
            .or_else(|| text.strip_prefix("eu."));
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix("amazonaws.vpce.")) else {
            return false;
        };
        rest.split_once(".vpce-svc-")
            .is_some_and(|(region, service)| {
                (REGION.matches)(region)
                    && word(service, "")
                    && !service.bytes().any(|b| b.is_ascii_uppercase())
            })
    },
};
pub(crate) const DIGITS_12: TextPattern = TextPattern {
    shown: "[0-9]{12}",
    matches: |text| text.len() == 12 && digits(text),
};
pub(crate) const SOURCE_ARN: TextPattern = TextPattern {
    shown: "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
    matches: |text| {
        proto::arn::Arn::parse(text)
            .is_ok_and(|arn| arn.partition.starts_with("aws") && (DIGITS_12.matches)(&arn.account))
    },
};
pub(crate) const BASE32: TextPattern = TextPattern {
    shown: "^[A-Z2-7]+$",
    matches: |text| {
        !text.is_empty() && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))
    },
};
pub(crate) const BASE64: TextPattern = TextPattern {
    shown: "^[a-zA-Z0-9\\/+=]+$",
    matches: |text| word(text, "/+="),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_two_or_three_words_and_a_number() {
        for region in ["us-east-1", "us-gov-west-1", "ap-southeast-12"] {
            assert!((REGION.matches)(region), "{region}");
        }
        for region in ["us-1", "us-east-", "US-east-1", "a-b-c-d-1", "us-east-1x"] {
            assert!(!(REGION.matches)(region), "{region}");
        }
    }

    #[test]
    fn an_external_key_stores_path_ends_in_its_version() {
        assert!((XKS_PATH.matches)("/kms/xks/v1"));
        assert!((XKS_PATH.matches)("/prefix/x/kms/xks/v12"));
        assert!(!(XKS_PATH.matches)("/kms/xks/v123"));
        assert!(!(XKS_PATH.matches)("prefix/kms/xks/v1"));
    }

    #[test]
    fn a_name_has_no_spaces_or_dots() {
        assert!((NAME.matches)("alias/a:b_c-1"));
        assert!(!(NAME.matches)("alias/a.b"));
        assert!(!(NAME.matches)(""));
    }
}
