package main

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// terraform makes the requests of Terraform's S3 backend with `encrypt`, `kms_key_id` and `use_lockfile`: the lock
// is an object written under `If-None-Match: *`, the state one with its SHA-256.
func terraform() {
	settings := got(config.LoadDefaultConfig(background))
	key := *got(kms.NewFromConfig(settings).CreateKey(background, &kms.CreateKeyInput{})).KeyMetadata.Arn
	client := s3.NewFromConfig(settings)
	bucket := str("states")
	got(client.CreateBucket(background, &s3.CreateBucketInput{Bucket: bucket}))
	got(client.PutBucketVersioning(background, &s3.PutBucketVersioningInput{Bucket: bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}))
	got(client.PutPublicAccessBlock(background, &s3.PutPublicAccessBlockInput{Bucket: bucket,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true),
			BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true)}}))
	for _, mode := range []s3.PutObjectInput{
		{ServerSideEncryption: types.ServerSideEncryptionAes256},
		{ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: &key},
	} {
		state := str("env:/" + string(mode.ServerSideEncryption) + "/terraform.tfstate")
		mode.Bucket = bucket
		first := lock(client, state, mode, "one")
		same("the first lock", first, "")
		same("the second lock", lock(client, state, mode, "two"), "PreconditionFailed")
		// The one that lost reads who holds it.
		sameBytes("lock", read(client, bucket, str(*state+".tflock")), lockInfo("one"))
		for _, content := range [][]byte{text(), append(text(), random(1000)...)} {
			sum := sha256.Sum256(content)
			digest := md5.Sum(content)
			mode.Key, mode.Body, mode.IfNoneMatch = state, bytes.NewReader(content), nil
			mode.ContentType, mode.ChecksumAlgorithm = str("application/json"), types.ChecksumAlgorithmSha256
			mode.ChecksumSHA256 = str(base64.StdEncoding.EncodeToString(sum[:]))
			mode.ContentMD5 = str(base64.StdEncoding.EncodeToString(digest[:]))
			put := got(client.PutObject(background, &mode))
			same("state", put.ServerSideEncryption, mode.ServerSideEncryption)
			same("state", aws.ToString(put.SSEKMSKeyId), aws.ToString(mode.SSEKMSKeyId))
			sameBytes("state", read(client, bucket, state), content)
		}
		got(client.DeleteObject(background, &s3.DeleteObjectInput{Bucket: bucket, Key: str(*state + ".tflock")}))
		same("the lock after it was released", lock(client, state, mode, "three"), "")
	}
	listed := got(client.ListObjectsV2(background, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: str("env:/"),
		MaxKeys: aws.Int32(1000)}))
	same("workspaces", len(listed.Contents), 4)
	versions := got(client.ListObjectVersions(background, &s3.ListObjectVersionsInput{Bucket: bucket,
		Prefix: str("env:/AES256/terraform.tfstate")}))
	same("versions", len(versions.Versions), 4)
	same("delete markers", len(versions.DeleteMarkers), 1)
}

func lockInfo(id string) []byte {
	return []byte(`{"ID":"` + id + `","Operation":"OperationTypeApply","Who":"test"}`)
}

// lock writes the lock file; returns the error's code, and nothing if the lock was free.
func lock(client *s3.Client, state *string, mode s3.PutObjectInput, id string) string {
	mode.Key, mode.Body, mode.IfNoneMatch = str(*state+".tflock"), bytes.NewReader(lockInfo(id)), str("*")
	mode.ChecksumSHA256, mode.ContentMD5 = nil, nil
	mode.ContentType, mode.ChecksumAlgorithm = str("application/json"), types.ChecksumAlgorithmSha256
	if _, err := client.PutObject(background, &mode); err != nil {
		return code(err)
	}
	return ""
}

func read(client *s3.Client, bucket, key *string) []byte {
	got(client.HeadObject(background, &s3.HeadObjectInput{Bucket: bucket, Key: key}))
	answer := got(client.GetObject(background, &s3.GetObjectInput{Bucket: bucket, Key: key,
		ChecksumMode: types.ChecksumModeEnabled}))
	return got(io.ReadAll(answer.Body))
}
