package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	manager "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

var (
	background = context.Background()
	str        = aws.String
)

// sdk is the AWS SDK for Go v2 with its defaults: everything comes from the environment.
func sdk() {
	settings := got(config.LoadDefaultConfig(background))
	made := got(kms.NewFromConfig(settings).CreateKey(background, &kms.CreateKeyInput{}))
	key := *made.KeyMetadata.Arn
	client := s3.NewFromConfig(settings)
	modes := map[string]s3.PutObjectInput{
		"default": {},
		"sse-s3":  {ServerSideEncryption: types.ServerSideEncryptionAes256},
		"sse-kms": {ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: &key},
		"bucket-key": {ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: &key,
			BucketKeyEnabled: aws.Bool(true)},
	}
	got(client.CreateBucket(background, &s3.CreateBucketInput{Bucket: str("sse-s3")}))
	for name, mode := range modes {
		objects(client, "sse-s3", name, mode)
		parts(client, "sse-s3", name, mode)
		presigned(settings, client, "sse-s3", name, mode)
	}
	customer(client, "sse-s3")
	listings(client, "sse-s3")
	if hosted := os.Getenv("S3_HOSTED_ENDPOINT"); hosted != "" {
		named := s3.NewFromConfig(settings, func(o *s3.Options) { o.BaseEndpoint = &hosted })
		got(named.CreateBucket(background, &s3.CreateBucketInput{Bucket: str("hosted")}))
		objects(named, "hosted", "sse-s3", modes["sse-s3"])
		parts(named, "hosted", "default", modes["default"])
		presigned(settings, named, "hosted", "default", modes["default"])
	}
}

// expected is the mode in which an object is sealed.
func expected(mode s3.PutObjectInput) types.ServerSideEncryption {
	if mode.ServerSideEncryption == "" {
		return types.ServerSideEncryptionAes256
	}
	return mode.ServerSideEncryption
}

func code(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return fmt.Sprint(err)
}

// objects writes, reads, copies and deletes, and compares what the answers say of the encryption.
func objects(client *s3.Client, bucket, name string, mode s3.PutObjectInput) {
	key, body := name+"/text", text()
	mode.Bucket, mode.Key, mode.Body = &bucket, &key, bytes.NewReader(body)
	put := got(client.PutObject(background, &mode))
	same(name, put.ServerSideEncryption, expected(mode))
	same(name, aws.ToBool(put.BucketKeyEnabled), aws.ToBool(mode.BucketKeyEnabled))
	same(name, aws.ToString(put.SSEKMSKeyId), aws.ToString(mode.SSEKMSKeyId))
	head := got(client.HeadObject(background, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))
	same(name, head.ServerSideEncryption, expected(mode))
	same(name, aws.ToInt64(head.ContentLength), int64(len(body)))
	same(name, *head.ETag, *put.ETag)
	whole := got(client.GetObject(background, &s3.GetObjectInput{Bucket: &bucket, Key: &key}))
	sameBytes(name, got(io.ReadAll(whole.Body)), body)
	// The checksum that the SDK adds by itself comes back.
	same(name, aws.ToString(whole.ChecksumCRC32) != "", true)
	some := got(client.GetObject(background, &s3.GetObjectInput{Bucket: &bucket, Key: &key,
		Range: str("bytes=16380-40000")}))
	sameBytes(name, got(io.ReadAll(some.Body)), body[16380:40001])

	mode.Key, mode.Body, mode.IfNoneMatch = str(name+"/text"), bytes.NewReader(body), str("*")
	_, err := client.PutObject(background, &mode)
	same(name, code(err), "PreconditionFailed")
	// After a refusal the connection is in order.
	got(client.HeadObject(background, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))

	copied := got(client.CopyObject(background, &s3.CopyObjectInput{Bucket: &bucket, Key: str(name + "/copy"),
		CopySource: str(bucket + "/" + key), ServerSideEncryption: mode.ServerSideEncryption,
		SSEKMSKeyId: mode.SSEKMSKeyId, BucketKeyEnabled: mode.BucketKeyEnabled}))
	same(name, copied.ServerSideEncryption, expected(mode))
	same(name, aws.ToBool(copied.BucketKeyEnabled), aws.ToBool(mode.BucketKeyEnabled))
	whole = got(client.GetObject(background, &s3.GetObjectInput{Bucket: &bucket, Key: str(name + "/copy")}))
	sameBytes(name, got(io.ReadAll(whole.Body)), body)
	got(client.DeleteObject(background, &s3.DeleteObjectInput{Bucket: &bucket, Key: str(name + "/copy")}))
	_, err = client.HeadObject(background, &s3.HeadObjectInput{Bucket: &bucket, Key: str(name + "/copy")})
	same(name, code(err), "NotFound")
}

// parts uploads a stream of unknown length and downloads it, as the transfer manager does both.
func parts(client *s3.Client, bucket, name string, mode s3.PutObjectInput) {
	body, transfers := random(20_000_000), transfermanager.New(client)
	uploaded := got(transfers.UploadObject(background, &transfermanager.UploadObjectInput{
		Bucket: &bucket, Key: str(name + "/parts"), Body: io.MultiReader(bytes.NewReader(body)),
		ServerSideEncryption: manager.ServerSideEncryption(mode.ServerSideEncryption),
		SSEKMSKeyID:          mode.SSEKMSKeyId, BucketKeyEnabled: mode.BucketKeyEnabled}))
	same(name, string(uploaded.ServerSideEncryption), string(expected(mode)))
	answer := got(transfers.GetObject(background, &transfermanager.GetObjectInput{
		Bucket: &bucket, Key: str(name + "/parts")}))
	sameBytes(name, got(io.ReadAll(answer.Body)), body)
	head := got(client.HeadObject(background, &s3.HeadObjectInput{Bucket: &bucket, Key: str(name + "/parts")}))
	same(name, head.ServerSideEncryption, expected(mode))
	same(name, aws.ToBool(head.BucketKeyEnabled), aws.ToBool(mode.BucketKeyEnabled))
}

// follow makes the request of a presigned URL, as somebody without the SDK does.
func follow(settings aws.Config, request *v4.PresignedHTTPRequest, body []byte) (int, []byte) {
	sent := got(http.NewRequest(request.Method, request.URL, bytes.NewReader(body)))
	sent.Header = request.SignedHeader
	answer := got(settings.HTTPClient.Do(sent))
	defer answer.Body.Close()
	return answer.StatusCode, got(io.ReadAll(answer.Body))
}

// presigned writes and reads by URLs; the condition of a write goes into the query.
func presigned(settings aws.Config, client *s3.Client, bucket, name string, mode s3.PutObjectInput) {
	signer, key, body := s3.NewPresignClient(client), name+"/presigned", text()
	mode.Bucket, mode.Key, mode.IfNoneMatch = &bucket, &key, str("*")
	write := got(signer.PresignPutObject(background, &mode))
	status, _ := follow(settings, write, body)
	same(name, status, 200)
	status, _ = follow(settings, write, body)
	same(name, status, 412)
	read := got(signer.PresignGetObject(background, &s3.GetObjectInput{Bucket: &bucket, Key: &key}))
	status, content := follow(settings, read, nil)
	same(name, status, 200)
	sameBytes(name, content, body)
	head := got(client.HeadObject(background, &s3.HeadObjectInput{Bucket: &bucket, Key: &key}))
	same(name, head.ServerSideEncryption, expected(mode))
}

// customer is SSE-C.
func customer(client *s3.Client, bucket string) {
	secret, body := random(32), text()
	digest := md5.Sum(secret)
	key, sum := base64.StdEncoding.EncodeToString(secret), base64.StdEncoding.EncodeToString(digest[:])
	put := got(client.PutObject(background, &s3.PutObjectInput{Bucket: &bucket, Key: str("sse-c"),
		Body: bytes.NewReader(body), SSECustomerAlgorithm: str("AES256"), SSECustomerKey: &key,
		SSECustomerKeyMD5: &sum}))
	same("sse-c", *put.SSECustomerAlgorithm, "AES256")
	answer := got(client.GetObject(background, &s3.GetObjectInput{Bucket: &bucket, Key: str("sse-c"),
		SSECustomerAlgorithm: str("AES256"), SSECustomerKey: &key, SSECustomerKeyMD5: &sum}))
	sameBytes("sse-c", got(io.ReadAll(answer.Body)), body)
	_, err := client.GetObject(background, &s3.GetObjectInput{Bucket: &bucket, Key: str("sse-c")})
	same("sse-c", code(err), "InvalidRequest")
}

// listings pages through the sizes that were written, and deletes several at once.
func listings(client *s3.Client, bucket string) {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(3)})
	sizes := map[string]int64{}
	for pages.HasMorePages() {
		for _, object := range got(pages.NextPage(background)).Contents {
			sizes[*object.Key] = *object.Size
		}
	}
	same("objects", len(sizes), 13)
	same("listed", sizes["bucket-key/text"], int64(len(text())))
	same("listed", sizes["bucket-key/parts"], 20_000_000)
	gone := []types.ObjectIdentifier{{Key: str("default/presigned")}, {Key: str("sse-kms/presigned")}}
	deleted := got(client.DeleteObjects(background, &s3.DeleteObjectsInput{Bucket: &bucket,
		Delete: &types.Delete{Objects: gone}}))
	same("deleted", len(deleted.Deleted), 2)
}
