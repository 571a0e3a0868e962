# The AWS SDK for Ruby with its defaults: modes, parts, ranges, copies, presigned URLs. Run by tests/clients/run.
require "aws-sdk-s3"
require "net/http"

def same(what, seen, wanted)
  raise "#{what}: #{seen.to_s[0, 200]} where #{wanted.to_s[0, 200]} was expected" unless seen == wanted
end

def web(request)
  uri = request.uri
  options = { use_ssl: uri.scheme == "https", ca_file: ENV["AWS_CA_BUNDLE"] }
  Net::HTTP.start(uri.hostname, uri.port, **options) { |http| http.request(request) }
end

# This version reads no endpoint from the environment.
s3 = Aws::S3::Client.new(endpoint: ENV["AWS_ENDPOINT_URL_S3"], ssl_ca_bundle: ENV["AWS_CA_BUNDLE"])
key = Aws::KMS::Client.new(endpoint: ENV["AWS_ENDPOINT_URL_KMS"]).create_key.key_metadata.arn
text = "#{ENV["CANARY"]} line\n" * 4000
large = Random.bytes(12_000_000)
File.binwrite("large", large)
modes = {
  "default" => {}, "sse-s3" => { server_side_encryption: "AES256" },
  "sse-kms" => { server_side_encryption: "aws:kms", ssekms_key_id: key },
  "bucket-key" => { server_side_encryption: "aws:kms", ssekms_key_id: key, bucket_key_enabled: true }
}

def objects(s3, bucket, modes, text, large)
  s3.create_bucket(bucket: bucket)
  resource = Aws::S3::Resource.new(client: s3).bucket(bucket)
  modes.each do |name, mode|
    sealed = mode.fetch(:server_side_encryption, "AES256")
    put = s3.put_object(bucket: bucket, key: "#{name}/text", body: text, metadata: { "by" => "ruby" }, **mode)
    same(name, put.server_side_encryption, sealed)
    same(name, put.bucket_key_enabled || false, mode.fetch(:bucket_key_enabled, false))
    got = s3.get_object(bucket: bucket, key: "#{name}/text")
    same(name, got.body.read, text)
    same(name, got.metadata, { "by" => "ruby" })
    some = s3.get_object(bucket: bucket, key: "#{name}/text", range: "bytes=16380-40000").body.read
    same(name, some, text[16_380..40_000])
    resource.object("#{name}/large").upload_file("large", multipart_threshold: 5 << 20, **mode)
    head = s3.head_object(bucket: bucket, key: "#{name}/large")
    same(name, head.server_side_encryption, sealed)
    same(name, head.content_length, large.bytesize)
    same(name, s3.get_object(bucket: bucket, key: "#{name}/large").body.read.b, large)
    copied = s3.copy_object(bucket: bucket, key: "#{name}/copy", copy_source: "#{bucket}/#{name}/text", **mode)
    same(name, copied.server_side_encryption, sealed)
    same(name, s3.get_object(bucket: bucket, key: "#{name}/copy").body.read, text)
    object = resource.object("#{name}/presigned")
    write = Net::HTTP::Put.new(URI(object.presigned_url(:put, **mode)), "content-type" => "")
    write.body = text
    same(name, web(write).code, "200")
    read = Net::HTTP::Get.new(URI(object.presigned_url(:get)))
    same(name, web(read).body.b, text.b)
    same(name, object.server_side_encryption, sealed)
  end
  form = resource.presigned_post(key: "posted", server_side_encryption: "AES256")
  post = Net::HTTP::Post.new(URI(form.url))
  post.set_form([*form.fields.to_a, ["file", text]], "multipart/form-data")
  same("form", web(post).code, "204")
  same("form", s3.get_object(bucket: bucket, key: "posted").body.read, text)
  sizes = s3.list_objects_v2(bucket: bucket, max_keys: 3).flat_map { |page| page.contents.map(&:size) }
  same("sizes", sizes.sum, text.bytesize * (3 * modes.size + 1) + large.bytesize * modes.size)
  s3.delete_objects(bucket: bucket, delete: { objects: modes.keys.map { |name| { key: "#{name}/copy" } } })
  same("deleted", resource.objects.map(&:key).grep(/copy/), [])
end

objects(s3, "sse-s3", modes, text, large)
if (hosted = ENV["S3_HOSTED_ENDPOINT"])
  named = Aws::S3::Client.new(endpoint: hosted, ssl_ca_bundle: ENV["AWS_CA_BUNDLE"])
  objects(named, "hosted", modes.slice("default", "sse-kms"), text, large)
end
