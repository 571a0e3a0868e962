package sealgate

// The behaviours of tests/fixtures/behaviours.md, by their numbers.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

var ctx = context.Background()

func ok[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, seen, expected T) {
	t.Helper()
	if seen != expected {
		t.Fatalf("%v, not %v", seen, expected)
	}
}

func fails(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("%v, not %s", err, code)
	}
}

func contains(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("%v, without %q", err, text)
	}
}

func withBucket(t *testing.T, with ...Option) (*Sealgate, *s3.Client) {
	t.Helper()
	sg := Start(t, with...)
	client := sg.S3()
	ok[*s3.CreateBucketOutput](t)(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("demo")}))
	done(t, sg.Mark())
	return sg, client
}

func put(t *testing.T, client *s3.Client, key, body string, sse types.ServerSideEncryption) {
	t.Helper()
	input := &s3.PutObjectInput{Bucket: aws.String("demo"), Key: &key, Body: strings.NewReader(body)}
	if sse != "" {
		input.ServerSideEncryption, input.SSEKMSKeyId = sse, aws.String("alias/demo")
	}
	ok[*s3.PutObjectOutput](t)(client.PutObject(ctx, input))
}

func once(o *kms.Options) { o.RetryMaxAttempts = 1 }

func encrypt(sg *Sealgate, key string) error {
	_, err := sg.KMS(once).Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	return err
}

func random(sg *Sealgate) error {
	_, err := sg.KMS().GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1)})
	return err
}

func demo(t *testing.T, sg *Sealgate) (id, arn string) {
	t.Helper()
	input := &kms.DescribeKeyInput{KeyId: aws.String("alias/demo")}
	key := ok[*kms.DescribeKeyOutput](t)(sg.KMS().DescribeKey(ctx, input)).KeyMetadata
	return *key.KeyId, *key.Arn
}

func Test01ItStartsHasTheVersionAndEndsWithStatus0(t *testing.T) {
	sg := ok[*Sealgate](t)(StartProcess())
	if sg.Line.Version == "" {
		t.Fatal("no version")
	}
	done(t, sg.Stop())
	done(t, sg.Stop())
}

func Test02TwoAtOnceShareNothing(t *testing.T) {
	one, _ := withBucket(t)
	other := Start(t)
	listed := ok[*s3.ListBucketsOutput](t)(other.S3().ListBuckets(ctx, &s3.ListBucketsInput{}))
	equal(t, len(listed.Buckets), 0)
	if one.Line.KMSEndpoint == other.Line.KMSEndpoint {
		t.Fatal("one port for both")
	}
}

func Test03ItEndsWhenTheProcessThatStartedItIsKilled(t *testing.T) {
	if os.Getenv("SEALGATE_TEST_CHILD") != "" {
		sg := ok[*Sealgate](t)(StartProcess())
		_, _ = os.Stdout.WriteString("pid " + strconv.Itoa(sg.command.Process.Pid) + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	child := exec.Command(os.Args[0], "-test.run=^Test03")
	child.Env = append(os.Environ(), "SEALGATE_TEST_CHILD=1")
	output, _ := child.Output()
	_, text, _ := strings.Cut(string(output), "pid ")
	pid := ok[int](t)(strconv.Atoi(strings.TrimSpace(text)))
	for range 500 {
		state, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d is still there", pid)
}

func Test04AStartThatIsRefusedIsAnErrorWithItsText(t *testing.T) {
	_, err := StartProcess(Seed("/no-such-file"))
	contains(t, err, "no-such-file")
	_, err = StartProcess(Binary("/no-binary"))
	contains(t, err, "does not start")
}

func Test05AnObjectIsReadAndTheBackendLacksItsPlaintext(t *testing.T) {
	sg, client := withBucket(t)
	put(t, client, "k", "secret words", "")
	input := &s3.GetObjectInput{Bucket: aws.String("demo"), Key: aws.String("k")}
	got := ok[*s3.GetObjectOutput](t)(client.GetObject(ctx, input))
	body := ok[[]byte](t)(io.ReadAll(got.Body))
	if !bytes.Equal(body, []byte("secret words")) {
		t.Fatalf("%q", body)
	}
	done(t, sg.BackendLacks(ctx, []byte("secret words")))
	// The check can fail: the name of an object is no secret.
	put(t, client, "a-name-in-clear", "", "")
	contains(t, sg.BackendLacks(ctx, []byte("a-name-in-clear")), "the backend has it")
}

func Test06TheEncryptionOfAnObjectNamesAlgorithmAndKey(t *testing.T) {
	sg, client := withBucket(t)
	put(t, client, "k", "x", types.ServerSideEncryptionAwsKms)
	_, arn := demo(t, sg)
	sealed := ok[Encryption](t)(sg.EncryptionOf(ctx, "demo", "k"))
	equal(t, sealed, Encryption{Algorithm: "aws:kms", KeyID: arn})
}

func Test07APutWithSSEKMSIsOneGenerateDataKey(t *testing.T) {
	sg, client := withBucket(t)
	put(t, client, "k", "x", types.ServerSideEncryptionAwsKms)
	equal(t, ok[uint64](t)(sg.Calls(By{Operation: "GenerateDataKey", Key: "alias/demo"})), 1)
	equal(t, ok[uint64](t)(sg.Requests("PutObject", 200)), 1)
}

func Test08CountsBeginAtAMark(t *testing.T) {
	sg := Start(t)
	done(t, random(sg))
	done(t, sg.Mark())
	equal(t, ok[uint64](t)(sg.Calls(By{})), 0)
	done(t, random(sg))
	equal(t, ok[uint64](t)(sg.Calls(By{Operation: "GenerateRandom", Outcome: "OK"})), 1)
}

func Test09CallsAreCountedByAliasAndIDAndAMisspeltNameIsAnError(t *testing.T) {
	sg := Start(t)
	id, _ := demo(t, sg)
	done(t, encrypt(sg, id))
	done(t, encrypt(sg, "alias/demo"))
	for _, name := range []string{id, "alias/demo"} {
		equal(t, ok[uint64](t)(sg.Calls(By{Operation: "Encrypt", Key: name})), 2)
	}
	_, err := sg.Calls(By{Key: "alias/dmo"})
	contains(t, err, "alias/dmo")
	_, err = sg.Calls(By{Operation: "Encript"})
	contains(t, err, "Encript")
}

func Test10TheNextCallsAreThrottledAndCountedByOutcome(t *testing.T) {
	sg := Start(t)
	ok[Rule](t)(sg.ThrottleNext(2, "Encrypt", ""))
	for range 2 {
		fails(t, encrypt(sg, "alias/demo"), "ThrottlingException")
	}
	done(t, encrypt(sg, "alias/demo"))
	throttled := By{Operation: "Encrypt", Outcome: "ThrottlingException", Key: "alias/demo"}
	equal(t, ok[uint64](t)(sg.Calls(throttled)), 2)
	equal(t, ok[uint64](t)(sg.Calls(By{Operation: "Encrypt", Outcome: "OK"})), 1)
}

func Test11AFailureIsOfOneKey(t *testing.T) {
	sg := Start(t)
	other := ok[*kms.CreateKeyOutput](t)(sg.KMS().CreateKey(ctx, &kms.CreateKeyInput{}))
	ok[Rule](t)(sg.FailNext(1, "Encrypt", "alias/demo", "KeyUnavailableException"))
	done(t, encrypt(sg, *other.KeyMetadata.KeyId))
	fails(t, encrypt(sg, "alias/demo"), "KeyUnavailableException")
}

func Test12ALatencyIsAppliedUntilItIsRemoved(t *testing.T) {
	sg := Start(t)
	rule := ok[Rule](t)(sg.Latency(time.Millisecond, 0, "GenerateRandom"))
	for range 3 {
		done(t, random(sg))
	}
	equal(t, ok[uint64](t)(rule.Remove()), 3)
	_, err := rule.Remove()
	contains(t, err, "no rule")
}

func Test13AQuotaServesItsRateAndThrottlesTheNextCall(t *testing.T) {
	sg := Start(t)
	ok[string](t)(sg.Freeze(""))
	done(t, sg.Quota("CryptographicOperationsSymmetric", 3))
	for range 3 {
		done(t, encrypt(sg, "alias/demo"))
	}
	fails(t, encrypt(sg, "alias/demo"), "ThrottlingException")
	ok[string](t)(sg.Advance(time.Second))
	done(t, encrypt(sg, "alias/demo"))
}

func Test14AClockThatIsMovedDeletesAKey(t *testing.T) {
	sg := Start(t, Clock("2026-01-02T03:04:05Z"))
	made := ok[*kms.CreateKeyOutput](t)(sg.KMS().CreateKey(ctx, &kms.CreateKeyInput{}))
	id := made.KeyMetadata.KeyId
	schedule := &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(7)}
	ok[*kms.ScheduleKeyDeletionOutput](t)(sg.KMS().ScheduleKeyDeletion(ctx, schedule))
	now := ok[string](t)(sg.Advance(8 * 24 * time.Hour))
	equal(t, now[:19], "2026-01-10T03:04:05")
	_, err := sg.KMS().DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
	fails(t, err, "NotFoundException")
}

func Test15KeysOfASeedFileAreThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.toml")
	seed := "[[key]]\nid = \"testkey-1\"\naliases = [\"alias/seeded\"]\n"
	done(t, os.WriteFile(file, []byte(seed), 0o600))
	sg := Start(t, Seed(file))
	input := &kms.DescribeKeyInput{KeyId: aws.String("alias/seeded")}
	described := ok[*kms.DescribeKeyOutput](t)(sg.KMS().DescribeKey(ctx, input))
	equal(t, *described.KeyMetadata.KeyId, "testkey-1")
}

func Test17AResetPutsEverythingBack(t *testing.T) {
	sg, client := withBucket(t)
	made := ok[*kms.CreateKeyOutput](t)(sg.KMS().CreateKey(ctx, &kms.CreateKeyInput{}))
	ok[Rule](t)(sg.ThrottleNext(1, "", ""))
	done(t, sg.Quota("CryptographicOperationsSymmetric", 1))
	done(t, sg.Reset())
	equal(t, ok[uint64](t)(sg.Calls(By{})), 0)
	listed := ok[*s3.ListBucketsOutput](t)(client.ListBuckets(ctx, &s3.ListBucketsInput{}))
	equal(t, len(listed.Buckets), 0)
	_, err := sg.KMS().DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: made.KeyMetadata.KeyId})
	fails(t, err, "NotFoundException")
	ok[*s3.CreateBucketOutput](t)(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("demo")}))
	for _, key := range []string{"one", "two"} {
		put(t, client, key, "x", types.ServerSideEncryptionAwsKms)
	}
}

func Test18AUserOfAnotherAccountMayNotRead(t *testing.T) {
	sg, client := withBucket(t)
	put(t, client, "k", "x", "")
	_, err := sg.AltS3().GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("demo"), Key: aws.String("k")})
	fails(t, err, "AccessDenied")
	_, arn := demo(t, sg)
	_, err = sg.AltKMS().DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &arn})
	fails(t, err, "AccessDeniedException")
}

func Test19EventsNameWhatWasCalled(t *testing.T) {
	sg := Start(t)
	done(t, random(sg))
	ok[*kms.ListAliasesOutput](t)(sg.KMS().ListAliases(ctx, &kms.ListAliasesInput{}))
	events := ok[[]Event](t)(sg.Events(ctx, "", 2))
	equal(t, events[0].Name+" "+events[1].Name, "ListAliases GenerateRandom")
}

func Test20WaitingForCallsEnds(t *testing.T) {
	sg := Start(t)
	called := make(chan error)
	go func() { called <- random(sg) }()
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	equal(t, ok[uint64](t)(sg.WaitForCalls(wait, 1, By{Operation: "GenerateRandom"})), 1)
	done(t, <-called)
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	_, err := sg.WaitForCalls(short, 2, By{Operation: "GenerateRandom"})
	contains(t, err, `1 calls of "GenerateRandom", not 2`)
}
