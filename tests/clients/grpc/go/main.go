// The KMS by Go's generated client. Run by tests/clients/grpc/run.
package main

import (
	"bytes"
	"context"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"sealgate.test/grpc/kmsv1"
)

// bearer sends a token with each call.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

// The fixture is on loopback, in plain HTTP.
func (bearer) RequireTransportSecurity() bool { return false }

func client(token string, more ...grpc.DialOption) kmsv1.KeyManagementClient {
	options := append(more,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(token)),
		grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	connection, err := grpc.NewClient(os.Getenv("ENDPOINT"), options...)
	must(err)
	return kmsv1.NewKeyManagementClient(connection)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// refused checks the code of an error and returns its details.
func refused(err error, code codes.Code) (info *errdetails.ErrorInfo, retry *errdetails.RetryInfo) {
	if status.Code(err) != code {
		log.Fatalf("not refused with %v: %v", code, err)
	}
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.RetryInfo:
			retry = detail
		}
	}
	return info, retry
}

const retryPolicy = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.01s",
	"maxBackoff": "0.02s", "backoffMultiplier": 1, "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]}`

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kms := client(os.Getenv("GRPC_TOKEN"))
	made, err := kms.CreateKey(ctx, &kmsv1.CreateKeyRequest{Description: proto.String("by Go")})
	must(err)
	arn := made.GetKeyMetadata().GetArn()
	encryptionContext := map[string]string{"purpose": "test"}
	sealed, err := kms.Encrypt(ctx, &kmsv1.EncryptRequest{
		KeyId: &arn, Plaintext: []byte("a secret"), EncryptionContext: encryptionContext})
	must(err)
	opened, err := kms.Decrypt(ctx, &kmsv1.DecryptRequest{
		CiphertextBlob: sealed.GetCiphertextBlob(), EncryptionContext: encryptionContext})
	must(err)
	if !bytes.Equal(opened.GetPlaintext(), []byte("a secret")) || opened.GetKeyId() != arn {
		log.Fatal("decrypted to something else")
	}

	nowhere := "11111111-2222-3333-4444-555555555555"
	_, err = kms.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &nowhere})
	if info, _ := refused(err, codes.NotFound); info.GetReason() != "NotFoundException" {
		log.Fatal(info)
	}
	alt := client(os.Getenv("ALT_GRPC_TOKEN"))
	_, err = alt.DescribeKey(ctx, &kmsv1.DescribeKeyRequest{KeyId: &arn})
	refused(err, codes.PermissionDenied)
	_, err = client("guess").ListKeys(ctx, &kmsv1.ListKeysRequest{})
	refused(err, codes.Unauthenticated)

	for err = nil; err == nil; {
		_, err = kms.ListAliases(ctx, &kmsv1.ListAliasesRequest{})
	}
	_, retry := refused(err, codes.ResourceExhausted)
	delay := retry.GetRetryDelay().AsDuration()
	if delay <= 0 || delay > time.Second {
		log.Fatal(delay)
	}
	time.Sleep(delay)
	_, err = kms.ListAliases(ctx, &kmsv1.ListAliasesRequest{})
	must(err)
	patient := client(os.Getenv("GRPC_TOKEN"), grpc.WithDefaultServiceConfig(retryPolicy))
	for range 5 {
		_, err = patient.ListAliases(ctx, &kmsv1.ListAliasesRequest{})
		must(err)
	}
}
