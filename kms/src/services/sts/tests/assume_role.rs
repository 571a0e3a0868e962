//! Who may take a role, and what the session is.

use std::time::Duration;

use super::*;

const READER: &str =
    "AssumeRole&RoleArn=arn:aws:iam::111122223333:role/team/reader&RoleSessionName=monday";
const GUARDED: &str =
    "AssumeRole&RoleArn=arn:aws:iam::111122223333:role/guarded&RoleSessionName=monday";
const SECOND: &str =
    "AssumeRole&RoleArn=arn:aws:iam::111122223333:role/second&RoleSessionName=tuesday";

#[tokio::test]
async fn a_session_of_a_role_has_the_role_s_name_without_its_path() {
    let world = World::new();
    let answer = world.call(&world.user("AKIDANA"), READER).await.unwrap();
    let arn = "arn:aws:sts::111122223333:assumed-role/reader/monday";
    assert_eq!(text(&answer, "Arn"), arn);
    let id = text(&answer, "AssumedRoleId");
    assert!(id.starts_with("AROA") && id.ends_with(":monday"), "{id}");
    let session = world.session(&answer);
    let identity = session.identity.as_ref().unwrap();
    assert_eq!(
        identity.source,
        "arn:aws:iam::111122223333:role/team/reader"
    );
    assert!(
        !identity.is_unlimited(),
        "a role without policies may do nothing"
    );
    let who = world.call(&session, "GetCallerIdentity").await.unwrap();
    assert_eq!((text(&who, "Arn"), text(&who, "UserId")), (arn, id));
}

#[tokio::test]
async fn a_role_is_taken_by_those_alone_whom_its_trust_policy_and_their_own_let() {
    let world = World::new();
    let denied = |principal: &str, role: &str| {
        let text = format!(
            "User: arn:aws:iam::{principal} is not authorized to perform: sts:AssumeRole on resource: \
             arn:aws:iam::111122223333:role/{role}"
        );
        (403, "AccessDenied", text)
    };
    // The trust policy names the account, which leaves it to the user's policies.
    assert_eq!(
        world.refused(&world.user("AKIDLIMITED"), READER).await,
        denied("111122223333:user/limited", "team/reader")
    );
    assert_eq!(
        world.refused(&world.user("AKIDBOB"), READER).await,
        denied("444455556666:user/bob", "team/reader")
    );
    let wrong = format!("{READER}&ExternalId=deal-8");
    assert_eq!(world.refused(&world.user("AKIDBOB"), &wrong).await.0, 403);
    let right = format!("{READER}&ExternalId=deal-7");
    assert!(world.call(&world.user("AKIDBOB"), &right).await.is_ok());
    let nobody = READER.replace("reader", "nobody");
    assert_eq!(
        world.refused(&world.user("AKIDANA"), &nobody).await,
        denied("111122223333:user/ana", "team/nobody")
    );
    let root = world.refused(&world.user("AKIDROOT"), READER).await;
    assert_eq!(root.2, "Roles may not be assumed by root accounts.");
}

#[tokio::test]
async fn a_role_that_demands_mfa_is_taken_with_a_code_once() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    assert_eq!(world.refused(&ana, GUARDED).await.0, 403);
    let with_code = format!("{GUARDED}&SerialNumber={DEVICE}&TokenCode={}", world.code());
    let answer = world.call(&ana, &with_code).await.unwrap();
    let identity = world.session(&answer).identity.unwrap();
    assert!(identity.session().unwrap().mfa);
    let again = world.refused(&ana, &with_code).await;
    assert!(
        again.2.contains("invalid MFA one time pass code"),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_code_that_comes_with_a_refused_request_is_not_used_up() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let mfa = format!("&SerialNumber={DEVICE}&TokenCode={}", world.code());
    let too_long = format!("{READER}&DurationSeconds=7201{mfa}");
    assert_eq!(world.refused(&ana, &too_long).await.1, "ValidationError");
    let unknown = format!("{}{mfa}", READER.replace("reader", "nobody"));
    assert_eq!(world.refused(&ana, &unknown).await.0, 403);
    assert!(world.call(&ana, &format!("{READER}{mfa}")).await.is_ok());
}

#[tokio::test]
async fn wrong_codes_are_bounded_and_then_the_right_one_is_refused_too() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let code = world.code();
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let form = |code: &str| format!("{GUARDED}&SerialNumber={DEVICE}&TokenCode={code}");
    let mut texts = Vec::new();
    for _ in 0..5 {
        texts.push(world.refused(&ana, &form(wrong)).await);
    }
    texts.push(world.refused(&ana, &form(&code)).await);
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_session_lasts_as_the_role_allows_and_an_hour_in_a_chain() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let answer = world
        .call(&ana, &format!("{READER}&DurationSeconds=7200"))
        .await;
    let answer = answer.unwrap();
    let expected = now().plus(Duration::from_secs(7_200)).iso8601();
    assert_eq!(text(&answer, "Expiration"), expected);
    let refused = world
        .refused(&ana, &format!("{READER}&DurationSeconds=7201"))
        .await;
    let text_of_role =
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    assert_eq!(refused.2, text_of_role);

    let session = world.session(&answer);
    // The trust policy names the role itself, so the role needs no policy for it.
    assert!(world.call(&session, SECOND).await.is_ok());
    let form = format!("{SECOND}&DurationSeconds=3601");
    let chained = world.refused(&session, &form).await;
    assert!(chained.2.contains("1 hour session limit"), "{chained:?}");
    world.clock.advance(Duration::from_secs(7_200));
    let (id, token) = (text(&answer, "AccessKeyId"), text(&answer, "SessionToken"));
    let late = world.sts.iam.open_session(token, id, world.clock.now());
    assert!(late.is_err());
}

#[tokio::test]
async fn tags_and_a_policy_go_into_the_session_and_what_fits_in_no_token_is_refused() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let tags =
        "&Tags.member.1.Key=team&Tags.member.1.Value=blue+sky&TransitiveTagKeys.member.1=team";
    let answer = world.call(&ana, &format!("{READER}{tags}")).await.unwrap();
    let identity = world.session(&answer).identity.unwrap();
    assert_eq!(identity.tags()["team"], "blue sky");
    assert_eq!(identity.tags()["level"], "1", "the role's own");
    assert!(text(&answer, "PackedPolicySize").parse::<u32>().unwrap() > 0);

    // The trust policy lets nobody of the other account tag a session.
    let bob = world.user("AKIDBOB");
    let form = format!("{READER}&ExternalId=deal-7{tags}");
    let refused = world.refused(&bob, &form).await;
    assert!(refused.2.contains("sts:TagSession"), "{refused:?}");

    let malformed = world.refused(&ana, &format!("{READER}&Policy=%7B")).await;
    assert_eq!((malformed.0, malformed.1), (400, "MalformedPolicyDocument"));
    let managed =
        format!("{READER}&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/ReadOnlyAccess");
    assert_eq!(world.refused(&ana, &managed).await.1, "ValidationError");
    let many: String = (1..=20)
        .map(|n| {
            format!(
                "&Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value={}",
                "x".repeat(200)
            )
        })
        .collect();
    let large = world.refused(&ana, &format!("{READER}{many}")).await;
    assert_eq!((large.0, large.1), (400, "PackedPolicyTooLarge"));
}
