package sealgate

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The example of README.md.
func TestTheExampleOfTheReadme(t *testing.T) {
	sg, client := withBucket(t, QuotaScale(0.001))
	put(t, client, "k", "secret words", types.ServerSideEncryptionAwsKms)
	if calls, err := sg.Calls(By{Operation: "GenerateDataKey"}); err != nil || calls != 1 {
		t.Fatal(calls, err)
	}
	if err := sg.BackendLacks(t.Context(), []byte("secret words")); err != nil {
		t.Fatal(err)
	}
}
