//! Two that complete one upload, a part that comes meanwhile, and a backend that puts together something else.

use std::time::Duration;

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::backend::Recorded;

use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::MIB;
use crate::multipart::element;
use crate::multipart::expect_object;
use crate::multipart::modes;
use crate::multipart::parts;

const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";

/// Pauses the first request that fits: the gate that it reaches, and the one that lets it go on.
fn pause(
    world: &Direct,
    fits: fn(&Recorded) -> bool,
    pause: fn(Gate, Gate) -> Action,
) -> [Gate; 2] {
    let gates = [Gate::default(), Gate::default()];
    let action = pause(gates[0].clone(), gates[1].clone());
    world.backend.inject(Fault::on(fits, action).times(1));
    gates
}

fn is_list_of_parts(request: &Recorded) -> bool {
    request.method == Method::GET
        && request.path.starts_with("/bucket/")
        && request.query.contains("uploadId")
}

fn is_complete(request: &Recorded) -> bool {
    request.method == Method::POST && request.query.contains("uploadId")
}

fn is_part(request: &Recorded) -> bool {
    request.method == Method::PUT && request.query.contains("partNumber")
}

fn is_end_of_object(request: &Recorded) -> bool {
    request.method == Method::GET
        && request.path.starts_with("/bucket/")
        && request.headers.contains_key("range")
}

#[tokio::test]
async fn a_gateway_that_finds_the_parts_gone_because_another_completed_the_upload_answers_the_same()
{
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB, 9]);
    for (mode, create, later) in modes() {
        let request = later(Request::new(mode));
        let id = world.uploading().begin(create(Request::new(mode))).await;
        let etags = world.uploading().send(&request, &id, &sent).await;
        let [listed, go_on] = pause(&world, is_list_of_parts, Action::PauseAfter);
        let another = world.another();
        let uploading = another.uploading();
        let second = uploading.complete(request.clone(), &id, &etags);
        let first = async {
            listed.reached().await;
            let uploading = world.uploading();
            let first = uploading.complete(request.clone(), &id, &etags).await;
            go_on.reach();
            first
        };
        let (second, first) = futures_util::future::join(second, first).await;
        assert_eq!(second.ok().text(), first.ok().text(), "{mode}");
        expect_object(&world, mode, later, &sent).await;
    }
}

#[tokio::test]
async fn an_upload_completed_on_a_condition_answers_whoever_comes_second_the_same() {
    let world = Direct::start().await;
    let sent = parts(&[9]);
    let request = Request::new("k").header("if-none-match", "*");
    let id = world.uploading().begin(Request::new("k")).await;
    let etags = world.uploading().send(&Request::new("k"), &id, &sent).await;
    let [listed, go_on] = pause(&world, is_list_of_parts, Action::PauseAfter);
    let another = world.another();
    let uploading = another.uploading();
    let second = uploading.complete(request.clone(), &id, &etags);
    let first = async {
        listed.reached().await;
        let first = world
            .uploading()
            .complete(request.clone(), &id, &etags)
            .await;
        go_on.reach();
        first
    };
    let (second, first) = futures_util::future::join(second, first).await;
    assert_eq!(second.ok().text(), first.ok().text());
}

#[tokio::test]
async fn of_two_gateways_that_sent_a_footer_either_completes_the_upload() {
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB, 9]);
    for (mode, create, later) in modes() {
        let request = later(Request::new(mode));
        let id = world.uploading().begin(create(Request::new(mode))).await;
        let etags = world.uploading().send(&request, &id, &sent).await;
        world.backend.forget();
        let [first_sent, complete_first] = pause(&world, is_complete, Action::PauseBefore);
        let [second_sent, complete_second] = pause(&world, is_complete, Action::PauseBefore);
        let another = world.another();
        let (uploading, others) = (world.uploading(), another.uploading());
        let first = async {
            let first = uploading.complete(request.clone(), &id, &etags).await;
            complete_second.reach();
            first
        };
        let second = async {
            first_sent.reached().await;
            others.complete(request.clone(), &id, &etags).await
        };
        // The second one's footer took the place of the first one's.
        let order = async {
            second_sent.reached().await;
            complete_first.reach();
        };
        let (first, second, ()) = futures_util::future::join3(first, second, order).await;
        assert_eq!(first.ok().text(), second.ok().text(), "{mode}");
        let requests = world.backend.requests();
        let footers: Vec<_> = requests.iter().filter(|it| is_part(it)).collect();
        assert_eq!(footers.len(), 2);
        assert!(footers[0].body == footers[1].body, "{mode}");
        expect_object(&world, mode, later, &sent).await;
    }
}

#[tokio::test]
async fn an_object_that_does_not_end_as_it_was_sent_is_an_error_and_no_success() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    for (key, sizes) in [("behind", vec![5 * MIB, 9]), ("own", vec![5 * MIB])] {
        for action in [
            Action::Flip(300),
            Action::Replace(content(9).to_vec()),
            Action::SetHeader("content-range", "bytes 0-9/10".to_owned()),
        ] {
            let sent = parts(&sizes);
            let request = Request::new(key);
            let id = uploading.begin(request.clone()).await;
            let etags = uploading.send(&request, &id, &sent).await;
            world.backend.inject(Fault::on(is_end_of_object, action));
            let answer = uploading.complete(request.clone(), &id, &etags).await;
            let error = answer.refused(500, "InternalError");
            assert!(error.to_string().contains("did not put"), "{error}");
            // Where it was the way that was bad and not the object, completing again answers.
            world.backend.heal();
            uploading.complete(request, &id, &etags).await.ok();
            expect_object(&world, key, |request| request, &sent).await;
        }
    }
}

#[tokio::test]
async fn an_object_that_is_overwritten_at_once_was_completed_all_the_same() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let request = Request::new("k");
    let id = uploading.begin(request.clone()).await;
    let etags = uploading.send(&request, &id, &parts(&[9])).await;
    let [completed, go_on] = pause(&world, is_complete, Action::PauseAfter);
    let another = world.another();
    let overwrite = async {
        completed.reached().await;
        another.put(request.clone().body(content(7))).await.ok();
        go_on.reach();
    };
    let complete = uploading.complete(request.clone(), &id, &etags);
    let (answer, ()) = futures_util::future::join(complete, overwrite).await;
    answer.ok();
    assert_eq!(world.get(request).await.ok().body, content(7));
}

/// Longer than any answer here takes, which nothing waits for but one that must not come.
const A_WHILE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_complete_waits_for_a_part_that_the_backend_has_and_nothing_has_recorded() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let request = Request::new("k");
    for size in [9, 5 * MIB] {
        let id = uploading.begin(request.clone()).await;
        let etags = uploading.send(&request, &id, &parts(&[size])).await;
        let [sent, go_on] = pause(&world, is_part, Action::PauseAfter);
        let part = uploading.part(request.clone(), &id, 1, content(size + 1));
        let complete = async {
            sent.reached().await;
            let complete = uploading.complete(request.clone(), &id, &etags);
            let mut complete = Box::pin(complete);
            let early = tokio::time::timeout(A_WHILE, &mut complete).await;
            assert!(early.is_err(), "{size}: it did not wait");
            go_on.reach();
            complete.await
        };
        let (part, complete) = futures_util::future::join(part, complete).await;
        part.ok();
        complete.refused(400, "InvalidPart");
    }
}

#[tokio::test]
async fn a_part_waits_for_a_complete_before_the_backend_has_all_of_it() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let request = Request::new("k");
    for size in [9, 5 * MIB] {
        let sent = parts(&[size]);
        let id = uploading.begin(request.clone()).await;
        let etags = uploading.send(&request, &id, &sent).await;
        world.backend.forget();
        let [at_backend, go_on] = pause(&world, is_complete, Action::PauseBefore);
        let complete = uploading.complete(request.clone(), &id, &etags);
        let part = async {
            at_backend.reached().await;
            let part = uploading.part(request.clone(), &id, 1, content(size + 1));
            let mut part = Box::pin(part);
            let early = tokio::time::timeout(A_WHILE, &mut part).await;
            assert!(early.is_err(), "{size}: it did not wait");
            let requests = world.backend.requests();
            let replaced = |it: &&Recorded| is_part(it) && it.whole && it.query.contains("=1&");
            assert_eq!(
                requests.iter().filter(replaced).count(),
                usize::from(size == 9)
            );
            go_on.reach();
            part.await
        };
        let (complete, part) = futures_util::future::join(complete, part).await;
        complete.ok();
        part.refused(404, "NoSuchUpload");
        expect_object(&world, "k", |request| request, &sent).await;
    }
}

#[tokio::test]
async fn a_completion_may_repeat_the_encryption_that_its_upload_was_begun_with_and_no_other() {
    const SSE: &str = "x-amz-server-side-encryption";
    const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";
    let world = Direct::start().await;
    let uploading = world.uploading();
    for (mode, create, later) in modes() {
        let began = uploading.create(create(Request::new(mode))).await.ok();
        let id = element(&began.text(), "UploadId").to_owned();
        let sent = parts(&[9]);
        let etags = uploading.send(&later(Request::new(mode)), &id, &sent).await;
        let (algorithm, key) = (began.header(SSE), began.header(KEY_ID));
        for other in ["AES256", "aws:kms", "aws:kms:dsse", "aws:fsx", ""] {
            if other != algorithm {
                let request = later(Request::new(mode)).header(SSE, other);
                let refused = uploading.complete(request, &id, &etags).await;
                refused.refused(400, "InvalidArgument");
            }
        }
        let strange = [
            (KEY_ID, "11111111-2222-3333-4444-555555555555"),
            (CONTEXT, "eyJ3aG8iOiJ5b3UifQ=="),
            (
                SWITCH,
                if mode == "bucket key" {
                    "false"
                } else {
                    "true"
                },
            ),
        ];
        for (name, value) in strange {
            let request = later(Request::new(mode)).header(name, value);
            let refused = uploading.complete(request, &id, &etags).await;
            refused.refused(400, "InvalidArgument");
        }

        let mut again = later(Request::new(mode));
        if !algorithm.is_empty() {
            again = again.header(SSE, algorithm);
        }
        if !key.is_empty() {
            again = again.header(KEY_ID, key.rsplit('/').next().unwrap());
        }
        uploading.complete(again, &id, &etags).await.ok();
        expect_object(&world, mode, later, &sent).await;
    }
}
