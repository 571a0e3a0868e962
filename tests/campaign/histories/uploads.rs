//! Uploads in parts: parts sent again and meanwhile, Complete sent twice and after a kill.

use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;

use crate::dice::Dice;
use crate::histories::BUCKET;
use crate::histories::body;
use crate::histories::client::Answer;
use crate::histories::client::Client;
use crate::histories::client::Condition;
use crate::histories::client::WRITE;
use crate::histories::client::answer;
use crate::histories::key_name;
use crate::histories::record::Fact;
use crate::histories::record::Failure;
use crate::linearizability::Operation;
use crate::linearizability::State;

/// A Complete that was never answered.
pub(crate) struct Unanswered {
    upload: Upload,
}

/// An upload whose parts are there.
#[derive(Clone)]
struct Upload {
    key: usize,
    id: String,
    parts: Vec<CompletedPart>,
    write: State,
}

impl Client {
    /// Writes a key in parts; the Complete, if it was never answered.
    pub(crate) async fn upload(&self, key: usize, dice: &mut Dice) -> Option<Unanswered> {
        let length = match dice.one_in(8) {
            true => PART_BYTES + 30 + dice.roll(1_000),
            false => [30, 5_000, 100_000][dice.roll(3)],
        };
        let write = self.record.new_write();
        let bytes = body::content(write.0, length);
        let parts = bytes.chunks(PART_BYTES);
        self.record
            .has_body(write, &body::etag_of_parts(parts), &body::etag(&bytes));
        let id = self.create(key, write).await?;
        if dice.one_in(4) {
            self.send_part(key, &id, 1, &body::content(write.0, 900))
                .await?;
        }
        let mut upload = Upload {
            key,
            id,
            parts: Vec::new(),
            write,
        };
        for (number, part) in (1..).zip(bytes.chunks(PART_BYTES)) {
            let part = self.send_part(key, &upload.id, number, part).await?;
            upload.parts.push(part);
        }
        let condition = match dice.one_in(4) {
            true => Condition::IfNoneMatch,
            false => Condition::None,
        };
        self.finish(upload, &condition, dice.roll(4)).await
    }

    /// Completes an upload, alone or in a race by `race`.
    async fn finish(
        &self,
        upload: Upload,
        condition: &Condition,
        race: usize,
    ) -> Option<Unanswered> {
        let called = self.record.now();
        let answer = match race {
            0 => {
                let both = futures_util::future::join(
                    self.complete(&upload, condition),
                    self.complete(&upload, condition),
                );
                match both.await {
                    (Answer::Good(()), _) | (_, Answer::Good(())) => Answer::Good(()),
                    (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
                    (first @ Answer::Refused(_), second) => match &first {
                        // The other one may have found the upload gone, or not.
                        Answer::Refused(code) if code == "PreconditionFailed" => first,
                        _ => second,
                    },
                }
            }
            1 => {
                let other = body::content(upload.write.0, 700);
                let part = self.send_part_while_completing(&upload, &other);
                let complete = self.complete(&upload, condition);
                let (answer, ()) = futures_util::future::join(complete, part).await;
                match answer {
                    // The other part came first.
                    Answer::Refused(code) if code == "InvalidPart" => {
                        self.abort(&upload).await;
                        return None;
                    }
                    answer => answer,
                }
            }
            _ => self.complete(&upload, condition).await,
        };
        self.wrote(upload.key, called, condition, upload.write, &answer);
        match (answer, condition) {
            (Answer::Good(()), _) => None,
            (Answer::Unknown, Condition::None) if race > 1 => Some(Unanswered { upload }),
            _ => {
                self.abort(&upload).await;
                None
            }
        }
    }

    /// Sends a Complete that was never answered once more, while nobody else is there. It may take
    /// effect now, or it did in the life before: once.
    pub(crate) async fn complete_again(&self, unanswered: Unanswered) {
        let upload = unanswered.upload;
        let (key, write) = (upload.key, upload.write);
        let has_happened = self.record.has_happened(write);
        let Some(before) = self.read(key).await else {
            return;
        };
        let called = self.record.now();
        let answer = self.complete(&upload, &Condition::None).await;
        if before != write && matches!(answer, Answer::Good(())) {
            // Whether it took effect is seen next.
            let operation = Operation {
                called,
                returned: None,
                fact: Fact::Any,
                to: Some(write),
            };
            self.record.add(key, operation);
        }
        let Some(after) = self.read(key).await else {
            return;
        };
        let name = key_name(key);
        let has_changed = after != before;
        match answer {
            Answer::Good(()) if has_changed && has_happened => {
                let text = format!("{name}: {write:?} was completed again after it was gone");
                self.record.fail(Failure::Violation, text);
            }
            Answer::Good(()) if !has_changed && before != write => {
                self.record.must_have_happened(key, write);
            }
            Answer::Good(()) => self.record.count("completed again"),
            Answer::Refused(code) if code == "NoSuchUpload" => {}
            other => self.not_done(key, "a Complete again", &other),
        }
    }

    async fn create(&self, key: usize, write: State) -> Option<String> {
        let create = self.s3.create_multipart_upload().bucket(BUCKET);
        let create = create
            .key(key_name(key))
            .metadata(WRITE, write.0.to_string());
        match answer(create.send().await) {
            Answer::Good(created) => created.upload_id,
            other => {
                self.not_done(key, "CreateMultipartUpload", &other);
                None
            }
        }
    }

    async fn send_part(
        &self,
        key: usize,
        id: &str,
        number: i32,
        bytes: &[u8],
    ) -> Option<CompletedPart> {
        let send = self.s3.upload_part().bucket(BUCKET).key(key_name(key));
        let send = send.upload_id(id).part_number(number);
        match answer(send.body(bytes.to_vec().into()).send().await) {
            Answer::Good(sent) => Some(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(sent.e_tag)
                    .build(),
            ),
            other => {
                self.not_done(key, "UploadPart", &other);
                None
            }
        }
    }

    /// The upload may be gone meanwhile.
    async fn send_part_while_completing(&self, upload: &Upload, bytes: &[u8]) {
        let send = self.s3.upload_part().bucket(BUCKET);
        let send = send
            .key(key_name(upload.key))
            .upload_id(&upload.id)
            .part_number(1)
            .body(bytes.to_vec().into());
        match answer(send.send().await) {
            Answer::Good(_) => {}
            Answer::Refused(code) if code == "NoSuchUpload" => {}
            other => self.not_done(upload.key, "UploadPart beside Complete", &other),
        }
    }

    async fn complete(&self, upload: &Upload, condition: &Condition) -> Answer<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone()));
        let complete = self.s3.complete_multipart_upload().bucket(BUCKET);
        let complete = complete
            .key(key_name(upload.key))
            .upload_id(&upload.id)
            .multipart_upload(parts.build())
            .set_if_none_match(condition.none_match());
        match answer(complete.send().await) {
            Answer::Good(completed) => {
                let etag = completed.e_tag().unwrap_or_default();
                self.record
                    .was_answered(upload.key, upload.write, etag, None);
                Answer::Good(())
            }
            Answer::Refused(code) => Answer::Refused(code),
            Answer::Unknown => Answer::Unknown,
        }
    }

    async fn abort(&self, upload: &Upload) {
        let abort = self.s3.abort_multipart_upload().bucket(BUCKET);
        let abort = abort.key(key_name(upload.key)).upload_id(&upload.id);
        // It may be gone.
        let _ = abort.send().await;
    }
}

/// The least that S3 takes as a part that is not the last.
const PART_BYTES: usize = 5 << 20;
