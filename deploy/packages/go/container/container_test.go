package container

// The behaviours of tests/fixtures/behaviours.md that are of the container itself, by their numbers. What controls and
// counts is the type that the tests of package sealgate test. Not 3: Testcontainers' own process ends a container. Not
// 18: the user of another account is made in the container and not known outside.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"sealgate.dev/sealgate"
)

var ctx = context.Background()

func image() string {
	if named := os.Getenv("SEALGATE_IMAGE"); named != "" {
		return named
	}
	return "localhost/sealgate:latest"
}

func run(t *testing.T, with ...Option) *Container {
	t.Helper()
	running, err := Run(ctx, image(), with...)
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupContainer(t, running)
	return running
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func is(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("%v, not %s", err, code)
	}
}

func once(o *kms.Options) { o.RetryMaxAttempts = 1 }

func encrypt(c *Container) error {
	input := &kms.EncryptInput{KeyId: aws.String("alias/demo"), Plaintext: []byte("x")}
	_, err := c.KMS(once).Encrypt(ctx, input)
	return err
}

func bucket(t *testing.T, c *Container) {
	t.Helper()
	must[*s3.CreateBucketOutput](t)(c.S3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("demo")}))
	if err := c.Mark(); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, c *Container, key string) {
	t.Helper()
	must[*s3.PutObjectOutput](t)(c.S3().PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("demo"), Key: &key, Body: strings.NewReader("secret words"),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String("alias/demo"),
	}))
}

func Test01And02ItStartsSharesNothingAndEndsWithStatus0(t *testing.T) {
	one, other := run(t), run(t, Region("eu-central-1"))
	bucket(t, one)
	listed := must[*s3.ListBucketsOutput](t)(other.S3().ListBuckets(ctx, &s3.ListBucketsInput{}))
	if len(listed.Buckets) != 0 || one.Line.SecretAccessKey == other.Line.SecretAccessKey {
		t.Fatal("they share a bucket or a secret")
	}
	patience := 20 * time.Second
	if err := other.Stop(ctx, &patience); err != nil {
		t.Fatal(err)
	}
	inspected, err := other.State(ctx)
	if err != nil || inspected.ExitCode != 0 {
		t.Fatal(inspected, err)
	}
}

func Test04AStartThatIsRefusedIsAnErrorWithItsText(t *testing.T) {
	_, err := Run(ctx, image(), Flags("--seed", "/no-such-file"))
	if err == nil || !strings.Contains(err.Error(), "no-such-file") {
		t.Fatal(err)
	}
}

func Test05To08AnObjectIsSealedByOneGenerateDataKeyAndTheDiskLacksItsPlaintext(t *testing.T) {
	c := run(t)
	bucket(t, c)
	put(t, c, "a-name-in-clear")
	calls := must[uint64](t)(c.Calls(sealgate.By{Operation: "GenerateDataKey", Key: "alias/demo"}))
	requests := must[uint64](t)(c.Requests("PutObject", 200))
	if calls != 1 || requests != 1 {
		t.Fatal(calls, requests)
	}
	sealed := must[sealgate.Encryption](t)(c.EncryptionOf(ctx, "demo", "a-name-in-clear"))
	if sealed.Algorithm != "aws:kms" || !strings.Contains(sealed.KeyID, ":key/") {
		t.Fatal(sealed)
	}
	input := &s3.GetObjectInput{Bucket: aws.String("demo"), Key: aws.String("a-name-in-clear")}
	got := must[*s3.GetObjectOutput](t)(c.S3().GetObject(ctx, input))
	if body := must[[]byte](t)(io.ReadAll(got.Body)); string(body) != "secret words" {
		t.Fatalf("%q", body)
	}
	stored := disk(t, c)
	// The check can fail: the name of an object is no secret.
	if bytes.Contains(stored, []byte("secret words")) || !bytes.Contains(stored, []byte("a-name-in-clear")) {
		t.Fatal("the disk has the plaintext, or lacks the name")
	}
	if err := c.BackendLacks(ctx, []byte("x")); err == nil || !strings.Contains(err.Error(), "not reached") {
		t.Fatal(err)
	}
}

// The container's folder of objects, as it is on its disk.
func disk(t *testing.T, c *Container) []byte {
	t.Helper()
	provider := must[*testcontainers.DockerProvider](t)(testcontainers.NewDockerProvider())
	defer func() { _ = provider.Close() }()
	options := client.CopyFromContainerOptions{SourcePath: "/var/lib/sealgate/store"}
	copied, err := provider.Client().CopyFromContainer(ctx, c.GetContainerID(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = copied.Content.Close() }()
	return must[[]byte](t)(io.ReadAll(copied.Content))
}

func Test10And17CallsAreThrottledAndAResetPutsThemBack(t *testing.T) {
	c := run(t)
	if _, err := c.ThrottleNext(2, "Encrypt", ""); err != nil {
		t.Fatal(err)
	}
	is(t, encrypt(c), "ThrottlingException")
	throttled := sealgate.By{Operation: "Encrypt", Outcome: "ThrottlingException", Key: "alias/demo"}
	if calls := must[uint64](t)(c.Calls(throttled)); calls != 1 {
		t.Fatal(calls)
	}
	bucket(t, c)
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	listed := must[*s3.ListBucketsOutput](t)(c.S3().ListBuckets(ctx, &s3.ListBucketsInput{}))
	if err := encrypt(c); err != nil || len(listed.Buckets) != 0 {
		t.Fatal(err, listed.Buckets)
	}
}

func Test13To15KeysOfASeedFileAreThereAndQuotasAreScaled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.toml")
	seed := "[[key]]\nid = \"testkey-1\"\naliases = [\"alias/seeded\"]\n"
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	c := run(t, Seed(file), QuotaScale(0.001))
	input := &kms.DescribeKeyInput{KeyId: aws.String("alias/seeded")}
	described := must[*kms.DescribeKeyOutput](t)(c.KMS().DescribeKey(ctx, input))
	if *described.KeyMetadata.KeyId != "testkey-1" {
		t.Fatal(*described.KeyMetadata.KeyId)
	}
	must[string](t)(c.Freeze("2026-01-02T03:04:05Z"))
	var err error
	for range 101 {
		if err = encrypt(c); err != nil {
			break
		}
	}
	is(t, err, "ThrottlingException")
	must[string](t)(c.Advance(time.Second))
	if err := encrypt(c); err != nil {
		t.Fatal(err)
	}
}

func Test16CodeThatMakesItsOwnClientsFindsIt(t *testing.T) {
	c := run(t)
	bucket(t, c)
	for name, value := range c.Env() {
		t.Setenv(name, value)
	}
	settings := must[aws.Config](t)(config.LoadDefaultConfig(ctx))
	own := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	listed := must[*s3.ListBucketsOutput](t)(own.ListBuckets(ctx, &s3.ListBucketsInput{}))
	if *listed.Buckets[0].Name != "demo" {
		t.Fatal(listed.Buckets)
	}
}

// The example of README.md.
func TestTheExampleOfTheReadme(t *testing.T) {
	c, err := Run(ctx, image(), QuotaScale(0.001))
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatal(err)
	}
	bucket(t, c)
	put(t, c, "k")
	if calls, err := c.Calls(sealgate.By{Operation: "GenerateDataKey"}); err != nil || calls != 1 {
		t.Fatal(calls, err)
	}
}
